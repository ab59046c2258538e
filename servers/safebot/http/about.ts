import type { Route } from '../../../shared/http/routes.js'
import { json } from './answer.js'
import type { RestKit } from './context.js'

/** What the service says of itself. */
export function aboutRoutes({ relay, clock }: RestKit): Route[] {
  const startedAt = clock.now()
  return [
    {
      method: 'GET',
      path: '/api/health',
      run: async () => json(200, { ok: true, rooms: await relay.roomCount(), ts: clock.now() }),
    },
    {
      method: 'GET',
      path: '/api/status',
      run: async () =>
        json(200, {
          ok: true,
          started_at: startedAt,
          uptime_seconds: Math.floor((clock.now() - startedAt) / 1000),
          rooms: await relay.roomCount(),
          node_version: process.version,
        }),
    },
  ]
}
