import type { HttpCall } from '../../../shared/http/http-call.js'
import type { Route } from '../../../shared/http/routes.js'
import { leaseMs } from '../domain/consumer.js'
import { type Identity, looseHandle } from '../domain/model.js'
import { badHandle, noSuchHandle, unsigned } from '../domain/refusals.js'
import type { Signature } from '../domain/signatures.js'
import { BODY_LIMIT } from '../limits.js'
import { answer } from './answer.js'
import { type Fields, readFields } from './body.js'
import { addressOf, numberOf, type RestKit, roomOf, timeoutMsOf } from './context.js'
import { claimedMessage } from './messages.js'

/** As the service reads it: this spelling, one space. */
const SCHEME = 'SafeBot '

/** Characters of a sender to pass over; others are none. */
const SENDER_CHARS = { min: 1, max: 64 } as const

/** Claiming a message as a task, and acknowledging it. Both are signed. */
export function claimingRoutes(kit: RestKit): Route[] {
  const { local } = kit
  return [
    {
      method: 'POST',
      path: '/api/rooms/:room/claim',
      bodyLimit: BODY_LIMIT,
      async run(call) {
        const { roomId, fields, handle } = await readSigned(kit, call)
        const request = {
          handle,
          labels: readSenders(fields.exclude_senders),
          leaseMs: leaseMs(numberOf(call, 'ttl_ms', 0)),
          timeoutMs: timeoutMsOf(call),
          ifMissing: 'return',
          address: addressOf(call),
        } as const
        const { exists, held, cursor, lastSeq } = await local.claim(roomId, request, call.signal)
        if (!exists) return answer(200, { ok: true, empty: true, last_seq: 0, cursor: 0, exists: false })
        if (held === undefined) return answer(200, { ok: true, empty: true, last_seq: lastSeq, cursor })
        const message = claimedMessage(held.message)
        return answer(200, { ok: true, claim_id: held.claimId, message, cursor, last_seq: lastSeq })
      },
    },
    {
      method: 'POST',
      path: '/api/rooms/:room/ack',
      bodyLimit: BODY_LIMIT,
      async run(call) {
        const { roomId, fields, handle } = await readSigned(kit, call)
        const claimId = typeof fields.claim_id === 'string' ? fields.claim_id : ''
        // Digits at its beginning are enough; nothing of the kind is 0, which no message has.
        const seq = Number.parseInt(String(fields.seq), 10) || 0
        const { advanced, cursor } = await local.ack(roomId, handle, claimId, seq)
        return answer(200, { ok: true, advanced, cursor })
      },
    },
  ]
}

/** @throws ServiceRefusal 400 for the room or the handle, 404, 429 or 401, checked in that order */
async function readSigned(
  kit: RestKit,
  call: HttpCall,
): Promise<{ roomId: string; fields: Fields; handle: string }> {
  const fields = readFields(call)
  const roomId = roomOf(call)
  const { handle } = await requireSigned(kit, call, fields.handle)
  return { roomId, fields, handle }
}

/** The senders whose messages are not for this consumer, beside its own. */
function readSenders(value: unknown): string[] {
  if (!Array.isArray(value)) return []
  return value.filter(
    sender =>
      typeof sender === 'string' && sender.length >= SENDER_CHARS.min && sender.length <= SENDER_CHARS.max,
  )
}

/**
 * The identity that a call claims to be and has signed for; its body is not covered.
 *
 * @throws ServiceRefusal in this order: 400 for no handle, 404 for an unknown one, 429, 401 for any fault of the signature
 */
async function requireSigned({ local }: RestKit, call: HttpCall, claimedHandle: unknown): Promise<Identity> {
  const handle = looseHandle(claimedHandle)
  if (handle === undefined) throw badHandle()
  const identity = await local.store.identity(handle)
  if (identity === undefined) throw noSuchHandle(handle)
  local.rates.spend(addressOf(call), `auth:${handle}`, 5)
  const signature = readAuthorization(call.headers.authorization)
  const target = call.request.url ?? ''
  if (
    signature !== undefined &&
    (await local.signatures.coversRequest(identity, signature, call.method, target))
  ) {
    return identity
  }
  throw unsigned()
}

/** `SafeBot ts=…,n=…,sig=…`, its parts in any order. */
function readAuthorization(header: string | undefined): Signature | undefined {
  if (!header?.startsWith(SCHEME)) return undefined
  const parts = new Map<string, string>()
  for (const part of header.slice(SCHEME.length).split(',')) {
    const equals = part.indexOf('=')
    if (equals > 0) parts.set(part.slice(0, equals).trim(), part.slice(equals + 1).trim())
  }
  const [ts, nonce, sig] = [parts.get('ts'), parts.get('n'), parts.get('sig')]
  return ts && nonce && sig ? { ts, nonce, sig } : undefined
}
