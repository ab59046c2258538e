/** A room as the service knows it: it holds ciphertext, and never the key. */
export interface Room {
  readonly id: string
  /** Instant of its creation, milliseconds since the epoch. */
  readonly createdAt: number
  /** Last instant at which something kept it from falling idle. */
  readonly activeAt: number
  /** Of its latest message; 0 before the first. */
  readonly lastSeq: number
  /** Whether it takes signed messages only; once it does, for good. */
  readonly signedOnly: boolean
}

/** A sealed message in a room's buffer. */
export interface StoredMessage {
  readonly seq: number
  /** UUID. */
  readonly id: string
  /** The label it was sent under; nothing vouches for it unless `senderVerified`. */
  readonly sender: string
  readonly senderVerified: boolean
  /** Standard base64. */
  readonly ciphertext: string
  /** Standard base64 of 24 bytes. */
  readonly nonce: string
  /** Instant of its arrival. */
  readonly ts: number
  /** Id of the message it answers. */
  readonly replyTo?: string
  /** How long the buffer keeps it, in milliseconds; none: as long as any. */
  readonly ttlMs?: number
}

/** The instant from which the buffer keeps a message no longer, by its own wish; Infinity if it has none. */
export function expiryOf({ ts, ttlMs }: StoredMessage): number {
  return ttlMs === undefined || ttlMs === 0 ? Number.POSITIVE_INFINITY : ts + ttlMs
}

/** What the buffer of a room keeps: whichever bound is reached first. */
export const BUFFER = { messages: 2000, ageMs: 24 * 60 * 60_000 } as const

/** Characters of base64 in one message: 98,288 bytes of UTF-8 once sealed. */
export const MAX_CIPHERTEXT_CHARS = 131_072

/** UTF-16 units of a sender's label. */
export const MAX_SENDER_CHARS = 64

/** What a room id looks like, everywhere. */
export const ROOM_ID = /^[A-Za-z0-9_-]{4,64}$/

/** Who has registered a handle: its keys vouch for it from then on. */
export interface Identity {
  readonly handle: string
  /** Base64 of the 32 bytes of an X25519 key. */
  readonly boxPub: string
  /** Base64 of the 32 bytes of an Ed25519 key. */
  readonly signPub: string
  /** Instant, milliseconds since the epoch. */
  readonly registeredAt: number
  readonly meta: { readonly bio?: string }
}

/** What a handle looks like when it is registered. */
export const HANDLE = /^[a-z0-9][a-z0-9_-]{1,31}$/

/** What passes for one where it is only looked up. */
const LOOSE_HANDLE = /^[a-z0-9_-]{1,32}$/

/** A handle as requests name it, in lower case; undefined if it cannot be one. */
export function looseHandle(value: unknown): string | undefined {
  if (typeof value !== 'string') return undefined
  const handle = value.toLowerCase()
  return LOOSE_HANDLE.test(handle) ? handle : undefined
}
