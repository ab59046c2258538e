import type { Route } from '../../../shared/http/routes.js'
import type { Contract } from '../contract.js'
import { describeOwned } from '../owned.js'
import type { InstanodeService } from '../service.js'
import { answer, listAnswer } from './answer.js'
import type { Callers } from './callers.js'

/** What an account has: `GET /api/me/resources` lists it, `DELETE /api/me/resources/:token` ends one of it. */
export function resourceRoutes(service: InstanodeService, callers: Callers, contract: Contract): Route[] {
  return [
    {
      method: 'GET',
      path: '/api/me/resources',
      async run(call) {
        const owned = await service.list(await callers.of(call))
        const nothing = owned.length === 0 && !contract.namesResourceType
        return listAnswer(nothing ? null : owned.map(resource => describeOwned(resource, contract)))
      },
    },
    {
      method: 'DELETE',
      path: '/api/me/resources/:token',
      async run(call) {
        const removed = await service.remove(await callers.of(call), call.params.token ?? '')
        return answer(contract.reapsAtOnce ? 200 : 202, { ...removed, ok: true, status: 'deleted' })
      },
    },
  ]
}
