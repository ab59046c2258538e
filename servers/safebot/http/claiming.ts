import type { Request } from 'express'
import { hangUpSignal, type Operation, operation } from '../../../shared/http/operation.js'
import { leaseMs } from '../domain/consumer.js'
import { type Identity, looseHandle } from '../domain/model.js'
import { badHandle, badRequestSignature, noSuchHandle } from '../domain/refusals.js'
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

/** Scheme of the `Authorization` header. As in the real service, its case matters, and a space follows it. */
const SCHEME = 'SafeBot '

/**
 * Limits of the length of a label in `exclude_senders`, in UTF-16 units. Other labels are ignored. The
 * service's numbers.
 */
const SENDER_CHARS = { min: 1, max: 64 } as const

/** The security scheme in the OpenAPI document. */
const SIGNED = [{ safebot: [] }]

/** Returns the routes that claim and acknowledge a task. Both require a signed request. */
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
        const claimRequest = {
          handle,
          labels: readSenders(fields.exclude_senders),
          leaseMs: leaseMs(numberOf(request, 'ttl_ms', 0)),
          timeoutMs: timeoutMsOf(request),
          ifMissing: 'return',
          address: addressOf(request),
        } as const
        const { exists, task, cursor, lastSeq } = await local.claim(
          roomId,
          claimRequest,
          hangUpSignal(response),
        )
        if (!exists) return { ok: true, empty: true, last_seq: 0, cursor: 0, exists: false } as const
        if (task === undefined) return { ok: true, empty: true, last_seq: lastSeq, cursor } as const
        const message = toClaimedMessage(task.message)
        return { ok: true, claim_id: task.claimId, message, cursor, last_seq: lastSeq } as const
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
        // As in the real service, characters after the digits are ignored. A value without digits becomes 0,
        // which is the seq of no message.
        const seq = Number.parseInt(String(fields.seq), 10) || 0
        const { advanced, cursor } = await local.ack(roomId, handle, claimId, seq)
        return { ok: true, advanced, cursor } as const
      },
    }),
  ]
}

/**
 * Returns the room, the body and the handle of a signed request.
 *
 * @throws ServiceRefusal 400 for the room id, then as {@link requireSigned} does
 */
async function readSigned(
  context: RestContext,
  request: Request,
): Promise<{ roomId: string; fields: BodyFields; handle: string }> {
  const fields = fieldsOf(request)
  const roomId = roomOf(request)
  const { handle } = await requireSigned(context, request, fields.handle)
  return { roomId, fields, handle }
}

/** Returns the labels in `exclude_senders`. Messages from these labels are no tasks for the handle. */
function readSenders(value: unknown): string[] {
  if (!Array.isArray(value)) return []
  return value.filter(
    sender =>
      typeof sender === 'string' && sender.length >= SENDER_CHARS.min && sender.length <= SENDER_CHARS.max,
  )
}

/**
 * Returns the identity that has signed a request. The signature covers the path and the query, and not the
 * body.
 *
 * @throws ServiceRefusal 400 for an invalid handle, 404 for an unknown handle, 429 for too many requests, 401
 *   for every fault of the signature. The checks have this order, which is that of the real service.
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
    (await local.signatures.verifyRequest(identity, signature, request.method, target))
  ) {
    return identity
  }
  throw badRequestSignature()
}

/**
 * Reads the header `SafeBot ts=…,n=…,sig=…`, whose parts may have any order. Undefined if a part is missing.
 */
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
