import type { HttpAnswer, Route } from '../../../shared/http/routes.js'
import { timestamp } from '../../../shared/util/go-json.js'
import type { Callers } from '../callers.js'
import { BODY_LIMIT } from '../limits.js'
import type { InstanodeService, Provisioned } from '../service.js'
import { answer } from './answer.js'
import { readField } from './body.js'

/** `POST /db/new` and `POST /webhook/new`. */
export function provisionRoutes(service: InstanodeService, callers: Callers): Route[] {
  return [
    {
      method: 'POST',
      path: '/db/new',
      bodyLimit: BODY_LIMIT,
      async run(call) {
        const name = readField(call.body, 'name').text
        const made = await service.createPostgres(await callers.of(call), name, call)
        const { storageMb, connections } = made.limits
        return provisioned(made, 'connection_url', { connections, storage_mb: storageMb })
      },
    },
    {
      method: 'POST',
      path: '/webhook/new',
      bodyLimit: BODY_LIMIT,
      async run(call) {
        const made = await service.createWebhook(await callers.of(call), readField(call.body, 'name').text)
        return provisioned(made, 'receive_url', { requests_stored: made.limits.requestsStored })
      },
    },
  ]
}

function provisioned(
  made: Provisioned<unknown>,
  urlField: 'connection_url' | 'receive_url',
  limits: Record<string, number>,
): HttpAnswer {
  const { id, token, name, tier, url, expiresIn, expiresAt, note } = made
  // Without a name it is one that was there already.
  return answer(name === null ? 200 : 201, {
    id,
    token,
    tier,
    note,
    ok: true,
    [urlField]: url,
    limits: { ...limits, ...(expiresIn !== null && { expires_in: expiresIn }) },
    ...(name !== null && { name }),
    ...(expiresAt !== null && { expires_at: timestamp(expiresAt) }),
  })
}
