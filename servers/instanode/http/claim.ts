import type { Route } from '../../../shared/http/routes.js'
import type { Accounts } from '../domain/accounts.js'
import type { Ownership } from '../domain/ownership.js'
import { ServiceRefusal } from '../domain/refusals.js'
import type { InstanodeService } from '../service.js'
import { timestamp } from '../timestamp.js'
import { answer } from './answer.js'
import type { Callers } from './callers.js'
import { readField } from './go-body.js'
import { BODY_LIMIT } from './limits.js'

/** `POST /api/me/claim`: makes the caller's account the owner. */
export function claimRoute(service: InstanodeService, accounts: Accounts, callers: Callers): Route {
  return {
    method: 'POST',
    path: '/api/me/claim',
    bodyLimit: BODY_LIMIT,
    async run(call) {
      const caller = await callers.of(call)
      const { text, decoded } = readField(call.body, 'token')
      if (!decoded) {
        // Who is no account learns that first.
        await accounts.require(caller.bearer)
        throw new ServiceRefusal(400, 'invalid_body', 'the body is not a JSON object with a text "token"')
      }
      const { id, name, token, type, status, tier } = await service.claim(caller, text)
      return answer(200, { id, name, ok: true, resource_type: type, status, tier, token })
    },
  }
}

/** `GET /claim/preview?token=`: what a claim would get, for anyone who has the token. */
export function previewRoute(ownership: Ownership, now: () => number): Route {
  return {
    method: 'GET',
    path: '/claim/preview',
    async run({ query }) {
      const { name, type, tier, status, owner, createdAt, expiresAt } = await ownership.preview(
        query.get('token') ?? '',
      )
      return answer(200, {
        ...{ name, ok: true, resource_type: type, tier, status, already_claimed: owner !== null },
        created_at: timestamp(createdAt),
        ...(expiresAt !== null && {
          expires_at: timestamp(expiresAt),
          // What is overdue and not yet reaped has none left.
          expires_in_seconds: Math.max(0, Math.floor((expiresAt - now()) / 1000)),
        }),
      })
    },
  }
}
