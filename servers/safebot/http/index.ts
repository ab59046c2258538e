import { Refusal } from '../../../shared/errors.js'
import { ApiFace } from '../../../shared/http/api-face.js'
import type { HttpCall } from '../../../shared/http/http-call.js'
import { openApiRoute } from '../../../shared/http/openapi-route.js'
import type { HttpAnswer, Route } from '../../../shared/http/routes.js'
import type { Instance } from '../../../shared/instance.js'
import type { Contract } from '../contract.js'
import { type Identity, looseHandle } from '../domain/model.js'
import { noSuchHandle, ServiceRefusal } from '../domain/refusals.js'
import { BODY_LIMIT } from '../limits.js'
import { answer, encoded, SECURITY_HEADERS, textAnswer } from './answer.js'
import { type Fields, readFields, UnreadableBody } from './body.js'
import { claimingRoutes } from './claiming.js'
import { addressOf, type RestKit } from './context.js'
import { messageRoutes, readingRoutes } from './messages.js'
import { presenceRoutes } from './presence.js'

export interface RestOptions extends Pick<RestKit, 'local' | 'limits'> {
  instance: Instance
  contract: Contract
  /** `http://host:port`, as a client reaches it. */
  url: string
}

/** The service's own HTTP API. */
export function createRest({ instance, local, limits, contract, url }: RestOptions): ApiFace {
  const { name, stamp, journal, clock, machine, log } = instance
  const kit: RestKit = { local, limits, clock, machine }
  const fail = (status: number, message: string, hint?: string): HttpAnswer => {
    if (!contract.answersErrorsInJson) return textAnswer(status, message)
    return answer(status, { error: hint === undefined ? message : `${message}: ${hint}` })
  }
  return new ApiFace({
    name: 'safebot',
    journal,
    stamp: stamp ? name : undefined,
    routes: [
      ...identityRoutes(kit),
      ...messageRoutes(kit),
      ...readingRoutes(kit),
      ...presenceRoutes(kit),
      ...claimingRoutes(kit),
      ...aboutRoutes(kit),
      openApiRoute(
        '/api/openapi.json',
        async () => (await import('./openapi.js')).openApi(url),
        text => encoded(text, { 'Cache-Control': 'public, max-age=60' }),
      ),
    ],
    nameOf,
    headers: () => SECURITY_HEADERS,
    forbidden: why => answer(403, { error: why }),
    unrouted: ({ method, path }, methods) =>
      method === 'OPTIONS' && methods.length > 0
        ? allowed(methods)
        : fail(404, `Cannot ${method} ${path}`, 'MCP is at /mcp, the API under /api'),
    refuse(error) {
      if (error instanceof ServiceRefusal) return refused(error)
      if (error instanceof UnreadableBody) return fail(error.status, error.message)
      // The only other thing a route turns down is what comes as it closes.
      if (error instanceof Refusal) return answer(503, { error: error.reason }, { 'Retry-After': 1 })
      log.error('a request could not be answered', error)
      return answer(500, { error: 'internal error' })
    },
  })
}

function refused({ status, body, retryAfterSeconds }: ServiceRefusal): HttpAnswer {
  return answer(status, body, retryAfterSeconds === undefined ? {} : { 'Retry-After': retryAfterSeconds })
}

function allowed(methods: readonly string[]): HttpAnswer {
  const verbs = methods.flatMap(method => (method === 'GET' ? ['GET', 'HEAD'] : [method])).join(',')
  return { status: 200, headers: { Allow: verbs, 'Content-Type': 'text/html; charset=utf-8' }, body: verbs }
}

/** Who calls, by what it says of itself: whether it has signed for that, the answer tells. */
function nameOf(call: HttpCall): string {
  const { handle, sender_handle } = fieldsOf(call)
  return looseHandle(handle ?? sender_handle) ?? 'anonymous'
}

function fieldsOf(call: HttpCall): Fields {
  try {
    return readFields(call)
  } catch (error) {
    if (error instanceof UnreadableBody) return {}
    throw error
  }
}

/** What the service says of itself. */
function aboutRoutes({ local, clock }: RestKit): Route[] {
  const startedAt = clock.now()
  return [
    {
      method: 'GET',
      path: '/api/health',
      run: async () => answer(200, { ok: true, rooms: (await local.store.usage()).rooms, ts: clock.now() }),
    },
    {
      method: 'GET',
      path: '/api/status',
      run: async () =>
        answer(
          200,
          {
            ok: true,
            started_at: startedAt,
            uptime_seconds: Math.floor((clock.now() - startedAt) / 1000),
            rooms: (await local.store.usage()).rooms,
            node_version: process.version,
          },
          { 'Cache-Control': 'public, max-age=30' },
        ),
    },
  ]
}

/** Registering a handle, and looking one up. */
function identityRoutes(kit: RestKit): Route[] {
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
          meta,
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
