import type { Account } from './domain/account.js'

/** The accounts of the world `default`. Their tokens are public: this is a stand-in. */
export const DEFAULT_ACCOUNTS: readonly Account[] = [
  {
    id: 'acct_free',
    userId: '5b0c5f0e-3a51-4c6d-9d0f-2f7f0f6a1c01',
    plan: 'free',
    fixedToken: 'understudy-free-token',
  },
  {
    id: 'acct_paid',
    userId: '5b0c5f0e-3a51-4c6d-9d0f-2f7f0f6a1c02',
    plan: 'paid',
    fixedToken: 'understudy-paid-token',
  },
  {
    id: 'acct_paid_2',
    userId: '5b0c5f0e-3a51-4c6d-9d0f-2f7f0f6a1c03',
    plan: 'paid',
    fixedToken: 'understudy-paid-token-2',
  },
]
