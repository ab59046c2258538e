import type { Route } from '../../../shared/http/routes.js'
import { isObject } from '../../../shared/util/is-object.js'
import type { Identity } from '../domain/model.js'
import { noSuchHandle } from '../domain/refusals.js'
import { BODY_LIMIT } from '../limits.js'
import { answer } from './answer.js'
import { readFields } from './body.js'
import { addressOf, type RestKit } from './context.js'

/** Registering a handle, and looking one up. */
export function identityRoutes(kit: RestKit): Route[] {
  const { identities, rates, store } = kit.local
  return [
    {
      method: 'POST',
      path: '/api/identity/register',
      bodyLimit: BODY_LIMIT,
      async run(call) {
        const { handle, box_pub, sign_pub, register_ts, register_sig, meta } = readFields(call)
        rates.spend(addressOf(call), 'register', 1)
        const identity = await identities.register({
          handle,
          boxPub: box_pub,
          signPub: sign_pub,
          ts: register_ts,
          sig: register_sig,
          bio: isObject(meta) ? meta.bio : undefined,
        })
        return answer(201, { ok: true, handle: identity.handle, registered_at: identity.registeredAt })
      },
    },
    {
      method: 'GET',
      path: '/api/identity/:handle',
      async run({ params: { handle = '' } }) {
        const wanted = handle.replace(/^@/, '').toLowerCase()
        const identity = await store.identity(wanted)
        if (identity === undefined) throw noSuchHandle(wanted)
        return answer(200, card(identity))
      },
    },
  ]
}

/** What anybody may know of an identity. */
function card({ handle, boxPub, signPub, registeredAt, meta }: Identity) {
  return { handle, box_pub: boxPub, sign_pub: signPub, registered_at: registeredAt, meta }
}
