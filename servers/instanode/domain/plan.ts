import type { Account, Plan } from './account.js'

/** What an account is told of its plan. */
export interface PlanView {
  tier: Plan
  /** How often it is paid for; null: it is not. */
  period: 'monthly' | 'annual' | null
  status: 'active' | 'none'
  label: string
  /** The periods in which a better plan can be had. */
  upgrades: readonly ('monthly' | 'annual')[]
}

/** Accounts of the stand-in have a plan and no payments: a paid one is as if by the month, and never runs out. */
export function planOf({ plan }: Account): PlanView {
  if (plan === 'paid') {
    return { tier: 'paid', period: 'monthly', status: 'active', label: 'Developer', upgrades: [] }
  }
  return { tier: 'free', period: null, status: 'none', label: 'Free', upgrades: ['monthly', 'annual'] }
}
