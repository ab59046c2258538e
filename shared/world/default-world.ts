import type { World } from './world.js'

/** The world `default`, a copy of fixtures/worlds/default.json, so that a start reads no file. */
export const DEFAULT_WORLD: World = {
  about: 'Three accounts, and nothing else. Their tokens are public: this is a stand-in.',
  accounts: [
    {
      id: 'acct_free',
      plan: 'free',
      token: 'understudy-free-token',
      userId: '5b0c5f0e-3a51-4c6d-9d0f-2f7f0f6a1c01',
    },
    {
      id: 'acct_paid',
      plan: 'paid',
      token: 'understudy-paid-token',
      userId: '5b0c5f0e-3a51-4c6d-9d0f-2f7f0f6a1c02',
    },
    {
      id: 'acct_paid_2',
      plan: 'paid',
      token: 'understudy-paid-token-2',
      userId: '5b0c5f0e-3a51-4c6d-9d0f-2f7f0f6a1c03',
    },
  ],
}
