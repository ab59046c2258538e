import type { Route } from '../../../shared/http/routes.js'
import type { Readiness } from '../domain/readiness.js'
import { answer } from './answer.js'

/** `GET /healthz`: there is a process. `GET /readyz`: it could do its work. */
export function healthRoutes(readiness: Readiness): Route[] {
  return [
    {
      method: 'GET',
      path: '/healthz',
      async run() {
        return answer(200, { ok: true, service: 'instant-lite' })
      },
    },
    {
      method: 'GET',
      path: '/readyz',
      async run() {
        const checks = await readiness.check()
        const bad = Object.entries(checks).find(([, check]) => check !== 'ok')
        if (bad === undefined) return answer(200, { checks, ok: true })
        return answer(503, { checks, error: bad.join('_'), ok: false })
      },
    },
  ]
}
