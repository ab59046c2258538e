import type { Route } from '../../../shared/http/routes.js'
import type { Account, Plan } from '../domain/model.js'
import { answer } from './answer.js'
import type { RestKit } from './context.js'

/** An account's token and its plan. Reading the token mints a credential for the whole account. */
export function accountRoutes({ local, service, callers }: RestKit): Route[] {
  return [
    {
      method: 'GET',
      path: '/api/me/token',
      async run(call) {
        const { token, expiresInSeconds } = await service.mintToken(await callers.of(call))
        return answer(200, { expires_in: expiresInSeconds, ok: true, token })
      },
    },
    {
      method: 'GET',
      path: '/api/me/plan',
      async run(call) {
        const { bearer } = await callers.of(call)
        const { tier, period, status, label, upgrades } = planOf(await local.accounts.require(bearer))
        return answer(200, {
          ok: true,
          plan_tier: tier,
          plan_period: period,
          plan_paid_at: null,
          subscription_status: status,
          current_period_end: null,
          human_label: label,
          available_upgrades: upgrades,
        })
      },
    },
  ]
}

/** What an account is told of its plan. */
interface PlanView {
  tier: Plan
  /** How often it is paid for; null: it is not. */
  period: 'monthly' | 'annual' | null
  status: 'active' | 'none'
  label: string
  /** The periods in which a better plan can be had. */
  upgrades: readonly ('monthly' | 'annual')[]
}

/** Accounts of the stand-in have a plan and no payments: a paid one is as if by the month, and never runs out. */
function planOf({ plan }: Account): PlanView {
  if (plan === 'paid') {
    return { tier: 'paid', period: 'monthly', status: 'active', label: 'Developer', upgrades: [] }
  }
  return { tier: 'free', period: null, status: 'none', label: 'Free', upgrades: ['monthly', 'annual'] }
}
