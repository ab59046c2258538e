import type { Request } from 'express'
import { hangUpSignal, type Operation, operation } from '../../../shared/http/operation.js'
import { leaseMs } from '../domain/consumer.js'
import { type Identity, looseHandle } from '../domain/model.js'
import { badHandle, noSuchHandle, unsigned } from '../domain/refusals.js'
import type { Signature } from '../domain/signatures.js'
import {
  addressOf,
  type BodyFields,
  fieldsOf,
  numberOf,
  type RestContext,
  roomOf,
  timeoutMsOf,
} from './context.js'
import { toClaimedMessage } from './messages.js'
import * as schema from './schemas.js'

/** The service accepts exactly this spelling, with one space. */
const SCHEME = 'SafeBot '

/** Lengths of a valid sender to skip. Others are ignored. */
const SENDER_CHARS = { min: 1, max: 64 } as const

/** Security scheme of claims and acknowledgements, which are signed. */
const SIGNED = [{ safebot: [] }]

/** The routes that claim and acknowledge a task. Both are signed. */
export function claimingOperations(context: RestContext): Operation[] {
  const { local } = context
  return [
    operation({
      method: 'POST',
      path: '/api/rooms/:roomId/claim',
      summary: 'Claim the next task',
      security: SIGNED,
      params: schema.roomParams,
      query: schema.claimQuery,
      body: schema.claimRequest,
      answer: schema.claim,
      refusals: [400, 401, 404, 413, 429],
      async run(request, response) {
        const { roomId, fields, handle } = await readSigned(context, request)
        const wanted = {
          handle,
          labels: readSenders(fields.exclude_senders),
          leaseMs: leaseMs(numberOf(request, 'ttl_ms', 0)),
          timeoutMs: timeoutMsOf(request),
          ifMissing: 'return',
          address: addressOf(request),
        } as const
        const { exists, held, cursor, lastSeq } = await local.claim(roomId, wanted, hangUpSignal(response))
        if (!exists) return { ok: true, empty: true, last_seq: 0, cursor: 0, exists: false } as const
        if (held === undefined) return { ok: true, empty: true, last_seq: lastSeq, cursor } as const
        const message = toClaimedMessage(held.message)
        return { ok: true, claim_id: held.claimId, message, cursor, last_seq: lastSeq } as const
      },
    }),
    operation({
      method: 'POST',
      path: '/api/rooms/:roomId/ack',
      summary: 'Acknowledge a task',
      security: SIGNED,
      params: schema.roomParams,
      body: schema.ackRequest,
      answer: schema.acknowledged,
      refusals: [400, 401, 404, 409, 413, 429],
      async run(request) {
        const { roomId, fields, handle } = await readSigned(context, request)
        const claimId = typeof fields.claim_id === 'string' ? fields.claim_id : ''
        // Characters after the digits are ignored. A value without digits is 0, which no message has.
        const seq = Number.parseInt(String(fields.seq), 10) || 0
        const { advanced, cursor } = await local.ack(roomId, handle, claimId, seq)
        return { ok: true, advanced, cursor } as const
      },
    }),
  ]
}

/** @throws ServiceRefusal 400 for the room or the handle, 404, 429 or 401, checked in that order */
async function readSigned(
  context: RestContext,
  request: Request,
): Promise<{ roomId: string; fields: BodyFields; handle: string }> {
  const fields = fieldsOf(request)
  const roomId = roomOf(request)
  const { handle } = await requireSigned(context, request, fields.handle)
  return { roomId, fields, handle }
}

/** Returns the senders whose messages this consumer skips, beside its own. */
function readSenders(value: unknown): string[] {
  if (!Array.isArray(value)) return []
  return value.filter(
    sender =>
      typeof sender === 'string' && sender.length >= SENDER_CHARS.min && sender.length <= SENDER_CHARS.max,
  )
}

/**
 * Returns the identity that has signed a request. The body is not signed.
 *
 * @throws ServiceRefusal in this order: 400 for no handle, 404 for an unknown one, 429, 401 for any fault of
 *   the
 *   signature
 */
async function requireSigned(
  { local }: RestContext,
  request: Request,
  claimedHandle: unknown,
): Promise<Identity> {
  const handle = looseHandle(claimedHandle)
  if (handle === undefined) throw badHandle()
  const identity = await local.store.identity(handle)
  if (identity === undefined) throw noSuchHandle(handle)
  local.rates.spend(addressOf(request), `auth:${handle}`, 5)
  const signature = readAuthorization(request.headers.authorization)
  const target = request.originalUrl
  if (
    signature !== undefined &&
    (await local.signatures.coversRequest(identity, signature, request.method, target))
  ) {
    return identity
  }
  throw unsigned()
}

/** Reads `SafeBot ts=…,n=…,sig=…`, with its parts in any order. */
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
