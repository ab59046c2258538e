import type { Route } from '../../../shared/http/routes.js'
import type { Accounts } from '../domain/accounts.js'
import { planOf } from '../domain/plan.js'
import type { InstanodeService } from '../service.js'
import { answer } from './answer.js'
import type { Callers } from './callers.js'

/** `GET /api/me/token`: reads like a read, and mints a credential for the whole account. */
export function tokenRoute(service: InstanodeService, callers: Callers): Route {
  return {
    method: 'GET',
    path: '/api/me/token',
    async run(call) {
      const { token, expiresInSeconds } = await service.mintToken(await callers.of(call))
      return answer(200, { expires_in: expiresInSeconds, ok: true, token })
    },
  }
}

/** `GET /api/me/plan`. */
export function planRoute(accounts: Accounts, callers: Callers): Route {
  return {
    method: 'GET',
    path: '/api/me/plan',
    async run(call) {
      const { bearer } = await callers.of(call)
      const { tier, period, status, label, upgrades } = planOf(await accounts.require(bearer))
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
  }
}
