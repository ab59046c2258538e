import { type Answer, type Asked, field, type Promised } from './promise.js'

export type Operation =
  | 'lookup'
  | 'post'
  | 'status'
  | 'transcript'
  | 'listening'
  | 'claim'
  | 'ack'
  | 'malformed'
  | 'tooLarge'
  | 'unknown'
  | 'idle'
  | 'steady'
  | 'own'
  | 'missing'
  | 'cancelled'

export interface Message {
  readonly seq: number
  readonly sender: string
}

/** A request in a room of its own, and what has happened in that room before. */
export interface SafebotAsked extends Asked {
  readonly operation: Operation
  readonly roomId: string
  /** The messages of the room, oldest first. */
  readonly messages: readonly Message[]
  readonly now: number
  readonly body: Readonly<Record<string, unknown>>
  readonly query: { readonly after?: number; readonly limit?: number }
  readonly handle: string
  /** How the request is signed. */
  readonly signature: 'good' | 'wrong' | 'stale' | 'none'
  /** The lease of the caller on a message of the room. */
  readonly lease: { readonly claimId: string; readonly seq: number; readonly ageMs: number } | undefined
}

type SafebotPromise = Promised<SafebotAsked>

/** The handles that are registered. */
export const KNOWN = ['alice', 'bob']
const MIN_TTL_MS = 30_000
const MAX_TTL_MS = 366 * 24 * 3_600_000

const isRoomId = (id: string) => /^[A-Za-z0-9_-]{4,64}$/.test(id)
const isHandle = (handle: unknown) =>
  typeof handle === 'string' && /^[a-z0-9_-]{1,32}$/.test(handle.toLowerCase())
const is =
  (...operations: Operation[]) =>
  (x: SafebotAsked) =>
    operations.includes(x.operation)

/** Whether a text is base64 in one spelling: padded, and with no bit that is lost. Both alphabets count. */
function isCanonical(value: unknown, bytes?: number): boolean {
  if (typeof value !== 'string' || value === '') return false
  const standard = value.replaceAll('-', '+').replaceAll('_', '/')
  const decoded = Buffer.from(standard, 'base64')
  return decoded.toString('base64') === standard && (bytes === undefined || decoded.length === bytes)
}

function isMessage({ ciphertext, nonce, sender, reply_to, ttl_ms }: SafebotAsked['body']): boolean {
  return (
    isCanonical(ciphertext) &&
    String(ciphertext).length <= 131_072 &&
    isCanonical(nonce, 24) &&
    (sender === undefined || sender === null || (typeof sender === 'string' && sender.length <= 64)) &&
    (reply_to === undefined ||
      reply_to === null ||
      (typeof reply_to === 'string' && /^[\w-]{8,64}$/.test(reply_to))) &&
    (ttl_ms === undefined || ttl_ms === null || ttl_ms === 0 || isTtl(ttl_ms))
  )
}

function isTtl(value: unknown): boolean {
  return typeof value === 'number' && value >= MIN_TTL_MS && value <= MAX_TTL_MS
}

const lastSeq = ({ messages }: SafebotAsked) => messages.at(-1)?.seq ?? 0

/** The message that a claim gets: the oldest one that is neither the caller's own nor excluded. */
function next({ messages, handle, body, lease }: SafebotAsked): Message | undefined {
  const excluded = Array.isArray(body.exclude_senders) ? body.exclude_senders : []
  const passed = [handle, `@${handle}`, ...excluded]
  return messages.find(
    ({ sender, seq }) => seq === lease?.seq || (lease === undefined && !passed.includes(sender)),
  )
}

const claimedSeq = ({ json }: Answer) => field(field(json, 'message'), 'seq')
const sequence = ({ json }: Answer) => {
  const messages = field(json, 'messages')
  return Array.isArray(messages) ? messages.map(message => field(message, 'seq')) : []
}
const broken400 = { row: 'answersErrorsInJson', source: 'two contracts; §2' }
const jsonError = ({ type, json }: Answer) =>
  type.startsWith('application/json') && typeof field(json, 'error') === 'string'
const page = ({ type }: Answer) => type.startsWith('text/html')
const wrong = is('malformed', 'tooLarge', 'unknown')

/** How Safebot answers, in both contracts. The first promise with a status decides. */
export const SAFEBOT: readonly SafebotPromise[] = [
  { what: 'no request gets a 5xx', source: '§2', when: () => true, holds: ({ status }) => status < 500 },
  { what: 'errors are JSON', ...broken400, under: 'documented', when: wrong, holds: jsonError },
  { what: 'errors of the framework are HTML', ...broken400, under: 'observed', when: wrong, holds: page },
  { what: 'malformed JSON', source: '§2', when: is('malformed'), status: 400 },
  { what: 'a body has at most 196,608 bytes', source: '§2', when: is('tooLarge'), status: 413 },
  { what: 'no such route', source: '§2', when: is('unknown'), status: 404 },
  {
    ...{ what: 'a registered handle is found in any case, with an @', source: '§2.1', status: 200 },
    when: x => x.operation === 'lookup' && KNOWN.includes(x.handle.replace(/^@/, '').toLowerCase()),
    holds: ({ json }, { handle }) => field(json, 'handle') === handle.replace(/^@/, '').toLowerCase(),
  },
  { what: 'no other handle is', source: '§2.1', when: is('lookup'), status: 404, error: 'no such handle' },

  {
    ...{ what: 'a room id has 4 to 64 characters', source: '§2', status: 400, error: 'bad roomId' },
    when: x => is('post', 'status', 'transcript', 'listening', 'claim', 'ack')(x) && !isRoomId(x.roomId),
  },
  {
    ...{ what: 'a message has the form of one', source: '§2.2', status: 400, error: 'bad message' },
    when: x => x.operation === 'post' && !isMessage(x.body),
  },
  {
    ...{ what: 'a room of signed messages takes signatures', source: '§2.2', status: 400 },
    when: x => x.operation === 'post' && x.signature === 'none' && x.body.signed_only === true,
    error: 'signed_only requires sender_sig',
  },
  {
    ...{ what: 'a signature is checked', source: '§2.2', status: 401, error: 'bad sender_sig' },
    when: x => x.operation === 'post' && !['good', 'none'].includes(x.signature),
  },
  {
    ...{ what: 'messages are counted from the room\u2019s first millisecond', source: 'facts: buffer; §2.2' },
    ...{ when: is('post'), status: 200 },
    holds: ({ json }, x) => field(json, 'seq') === (x.messages.length > 0 ? lastSeq(x) + 1 : x.now),
  },
  {
    ...{ what: 'a status tells of messages', source: '§2.3', when: is('status'), status: 200 },
    holds: ({ json }, x) =>
      field(json, 'exists') === x.messages.length > 0 &&
      (x.messages.length === 0 ||
        (field(json, 'recent_count') === x.messages.length && field(json, 'last_seq') === lastSeq(x))),
  },
  {
    ...{ what: 'a transcript has the oldest messages behind a seq', source: '§2.3', status: 200 },
    when: is('transcript'),
    holds: (answer, x) =>
      sequence(answer).join() ===
        x.messages
          .map(({ seq }) => seq)
          .filter(seq => seq > (x.query.after ?? 0))
          .slice(0, x.query.limit ?? 100)
          .join() && field(answer.json, 'last_seq') === lastSeq(x),
  },
  {
    ...{
      what: 'a room that does not exist has no listener',
      source: '§2.3',
      status: 404,
      error: 'no such room',
    },
    when: x => x.operation === 'listening' && x.messages.length === 0,
  },
  {
    ...{ what: 'a listener has a name', source: '§2.3', status: 400, error: 'bad name' },
    when: x =>
      x.operation === 'listening' &&
      !/^[\w@.\-\u00a0-\uffff]{1,64}$/.test(typeof x.body.name === 'string' ? x.body.name : ''),
  },
  { what: 'a listener is noted', source: '§2.3', when: is('listening'), status: 200 },

  {
    ...{ what: 'a handle has the form of one', source: '§2.4', status: 400, error: 'bad handle' },
    when: x => is('claim', 'ack')(x) && !isHandle(x.handle),
  },
  {
    ...{ what: 'a handle is registered', source: '§2.4', status: 404, error: 'no such handle' },
    when: x => is('claim', 'ack')(x) && !KNOWN.includes(x.handle),
  },
  {
    ...{ what: 'a claim and an acknowledgement are signed', source: '§2.4', status: 401 },
    ...{ error: 'bad or missing signature', when: x => is('claim', 'ack')(x) && x.signature !== 'good' },
  },
  {
    ...{ what: 'a claim in a room that is none', source: '§3', status: 200 },
    when: x => x.operation === 'claim' && x.messages.length === 0,
    holds: ({ json }) => field(json, 'empty') === true && field(json, 'exists') === false,
  },
  {
    ...{ what: 'a lease is given again, and not extended', source: '§3', status: 200 },
    when: x => x.operation === 'claim' && x.lease !== undefined,
    holds: (answer, x) =>
      field(answer.json, 'claim_id') === x.lease?.claimId && claimedSeq(answer) === x.lease?.seq,
  },
  {
    ...{ what: 'a claim gets the oldest message of others', source: '§3', status: 200 },
    when: x => x.operation === 'claim' && next(x) !== undefined,
    holds: (answer, x) => claimedSeq(answer) === next(x)?.seq,
  },
  {
    ...{ what: 'a claim in vain is empty', source: '§3', when: is('claim'), status: 200 },
    holds: ({ json }, x) => field(json, 'empty') === true && field(json, 'last_seq') === lastSeq(x),
  },
  {
    ...{ what: 'an acknowledgement where nothing was claimed', source: '§3', status: 200 },
    when: x => x.operation === 'ack' && x.lease === undefined,
    holds: ({ json }) => field(json, 'advanced') === false && field(json, 'cursor') === 0,
  },
  {
    ...{ what: 'a lease is good for 60,000 ms', source: 'two contracts: lease arithmetic', status: 200 },
    when: x =>
      x.operation === 'ack' &&
      x.body.claim_id === x.lease?.claimId &&
      x.body.seq === x.lease?.seq &&
      (x.lease?.ageMs ?? 0) <= 60_000,
    holds: ({ json }, x) => field(json, 'advanced') === true && field(json, 'cursor') === x.lease?.seq,
  },
  {
    ...{ what: 'an acknowledgement of a negative seq is below the cursor', source: '§3', status: 200 },
    when: x => x.operation === 'ack' && Number.parseInt(String(x.body.seq), 10) < 0,
    holds: ({ json }) => field(json, 'advanced') === false,
  },
  {
    ...{ what: 'a late or mismatched acknowledgement', source: '§3', when: is('ack'), status: 409 },
    error: 'stale or unknown claim',
  },

  {
    ...{ what: 'a room with an unacknowledged message is kept', source: 'two contracts' },
    ...{ row: 'keepsUnacknowledged', under: 'documented', when: is('idle'), status: 200 },
    holds: ({ json }) => field(json, 'exists') === true,
  },
  {
    ...{ what: 'an idle room is evicted with its messages', source: 'two contracts; §3' },
    ...{ row: 'keepsUnacknowledged', under: 'observed', when: is('idle'), status: 200 },
    holds: ({ json }) => field(json, 'exists') === false,
  },
  {
    ...{
      what: 'claims keep a room',
      source: 'two contracts',
      row: 'claimsKeepRoomAlive',
      under: 'documented',
    },
    ...{ when: is('steady'), status: 200, holds: ({ json }) => field(json, 'exists') === true },
  },
  {
    ...{ what: 'claims do not keep a room', source: 'two contracts; §3', row: 'claimsKeepRoomAlive' },
    ...{
      under: 'observed',
      when: is('steady'),
      status: 200,
      holds: ({ json }) => field(json, 'exists') === false,
    },
  },
  {
    ...{
      what: 'a parked claim waits through own messages',
      source: 'two contracts',
      row: 'anyMessageEndsBlock',
    },
    ...{
      under: 'documented',
      when: is('own'),
      status: 200,
      holds: ({ json }) => field(json, 'waited') === true,
    },
  },
  {
    ...{
      what: 'an own message ends a parked claim',
      source: 'two contracts; §3',
      row: 'anyMessageEndsBlock',
    },
    ...{
      under: 'observed',
      when: is('own'),
      status: 200,
      holds: ({ json }) => field(json, 'waited') === false,
    },
  },
  {
    ...{ what: 'a tool waits in a room that is none', source: 'two contracts', row: 'waitsForMissingRoom' },
    ...{
      under: 'documented',
      when: is('missing'),
      status: 200,
      holds: ({ json }) => field(json, 'waited') === true,
    },
  },
  {
    ...{
      what: 'a tool does not wait in a room that is none',
      source: 'two contracts; §4',
      row: 'waitsForMissingRoom',
    },
    ...{
      under: 'observed',
      when: is('missing'),
      status: 200,
      holds: ({ json }) => field(json, 'waited') === false,
    },
  },
  {
    ...{
      what: 'a cancelled next_task claims nothing',
      source: 'two contracts',
      row: 'cancelledNextTaskGivesBack',
    },
    ...{
      under: 'documented',
      when: is('cancelled'),
      status: 200,
      holds: ({ json }) => field(json, 'lost') === false,
    },
  },
  {
    ...{
      what: 'a cancelled next_task loses a message',
      source: 'two contracts; §4',
      row: 'cancelledNextTaskGivesBack',
    },
    ...{
      under: 'observed',
      when: is('cancelled'),
      status: 200,
      holds: ({ json }) => field(json, 'lost') === true,
    },
  },
]
