import { z } from 'zod'

// The schemas allow unknown fields. So the client works with a service that has more fields.

const ok = z.literal(true)
const seq = z.int().describe('0: there is none yet')
const instant = z.number().describe('Milliseconds since the epoch')
const base64 = z.string().describe('Canonical base64 with padding')

const count = z.coerce.number().int().optional()
const after = count.describe('Only messages after this seq. Default: 0')
const timeout = count.describe('Seconds to wait, 1 to 90. Default: 30')

export const roomParams = z.object({ roomId: z.string().describe('4 to 64 characters of A-Z a-z 0-9 _ -') })

export const transcriptQuery = z.object({
  after,
  limit: count.describe('Maximum number of messages, 1 to 500. Default: 100'),
})

export const waitQuery = z.object({ after, timeout })

export const claimQuery = z.object({
  timeout,
  ttl_ms: count.describe('Duration of the lease in milliseconds, 60,000 to 300,000. Default: 60,000'),
})

export const eventsQuery = z.object({
  after,
  name: z.string().optional(),
  box_pub: z.string().optional(),
})

export const failed = z
  .object({
    error: z.string(),
    cursor: seq.optional().describe('The cursor of the handle, if an ack is refused as stale'),
  })
  .meta({ id: 'Error' })

export const registration = z
  .object({
    handle: z.string().describe('2 to 32 characters of a-z 0-9 _ -, the first one a letter or a digit'),
    box_pub: base64.describe('X25519 public key, 32 bytes'),
    sign_pub: base64.describe('Ed25519 public key, 32 bytes'),
    register_ts: instant.describe(
      'Milliseconds since the epoch, within 60 s of the clock of the service or of its machine',
    ),
    register_sig: base64.describe('Signature of "register <handle> <register_ts> <box_pub> <sign_pub>"'),
    meta: z.object({ bio: z.string().optional() }).optional(),
  })
  .meta({ id: 'Registration' })

export const registered = z
  .object({ ok, handle: z.string(), registered_at: instant })
  .meta({ id: 'Registered' })

export const identity = z
  .object({
    handle: z.string(),
    box_pub: base64,
    sign_pub: base64,
    registered_at: instant,
    meta: z.object({ bio: z.string().optional() }),
  })
  .meta({ id: 'Identity' })

export const messagePost = z
  .object({
    ciphertext: base64.max(131_072),
    nonce: base64.describe('24 bytes'),
    sender: z.string().max(64).nullable().optional().describe('Label of the sender. Default: agent'),
    reply_to: z
      .string()
      .optional()
      .describe('Id of the message that this one answers, 8 to 64 characters of A-Z a-z 0-9 _ -'),
    ttl_ms: z
      .number()
      .optional()
      .describe(
        'Lifetime in the buffer in milliseconds, 30,000 to 31,622,400,000 (366 days). 0: no limit of its own',
      ),
    signed_only: z
      .boolean()
      .optional()
      .describe('Whether the room is to accept only signed messages from now on'),
    sender_handle: z.string().optional(),
    sender_ts: instant.optional(),
    sender_nonce: z
      .string()
      .optional()
      .describe('16 to 64 characters of A-Z a-z 0-9 + / = _ -, not used before'),
    sender_sig: base64
      .optional()
      .describe('Signature of "room-msg <room> <sender_ts> <sender_nonce> <sha256 of ciphertext in hex>"'),
  })
  .meta({ id: 'MessagePost' })

export const posted = z.object({ ok, id: z.uuid(), seq }).meta({ id: 'Posted' })

const messageFields = {
  seq,
  id: z.uuid(),
  sender: z.string(),
  sender_verified: z.boolean(),
  ciphertext: base64,
  nonce: base64,
  ts: instant,
  ttl_ms: z.number().optional(),
  reply_to: z.string().optional(),
}

export const claimedMessage = z.object(messageFields).meta({ id: 'ClaimedMessage' })

export const message = z.object({ ...messageFields, _bytes: z.int() }).meta({ id: 'Message' })

export const roomStatusAnswer = z
  .object({
    exists: z.boolean(),
    roomId: z.string(),
    participants: z.int().optional(),
    recent_count: z.int().optional(),
    last_seq: seq.optional(),
    age_seconds: z.int().optional(),
    idle_seconds: z.int().optional(),
    signed_only: z.boolean().optional(),
  })
  .meta({ id: 'RoomStatus' })

export const transcript = z
  .object({
    messages: z.array(message),
    last_seq: seq,
    count: z.int().optional(),
    exists: z.boolean(),
  })
  .meta({ id: 'Transcript' })

export const waited = z
  .object({
    messages: z.array(
      message.extend({ type: z.literal('message').optional() }).meta({ id: 'WaitedMessage' }),
    ),
    last_seq: seq,
    exists: z.literal(false).optional(),
  })
  .meta({ id: 'Waited' })

export const listening = z.object({ name: z.string(), box_pub: z.string().optional() })

export const done = z.object({ ok }).meta({ id: 'Done' })

export const claimRequest = z
  .object({ handle: z.string(), exclude_senders: z.array(z.string()).optional() })
  .meta({ id: 'ClaimRequest' })

export const claim = z
  .object({
    ok,
    empty: ok.optional(),
    exists: z.literal(false).optional(),
    claim_id: z.uuid().optional(),
    message: claimedMessage.optional(),
    cursor: seq,
    last_seq: seq,
  })
  .meta({ id: 'Claim' })

export const ackRequest = z
  .object({ handle: z.string(), claim_id: z.string(), seq: z.int() })
  .meta({ id: 'AckRequest' })

export const acknowledged = z.object({ ok, advanced: z.boolean(), cursor: seq }).meta({ id: 'Acknowledged' })

export const health = z.object({ ok, rooms: z.int(), ts: instant }).meta({ id: 'Health' })

export const serviceStatus = z
  .object({
    ok,
    started_at: instant,
    uptime_seconds: z.int(),
    rooms: z.int(),
    node_version: z.string(),
  })
  .meta({ id: 'ServiceStatus' })
