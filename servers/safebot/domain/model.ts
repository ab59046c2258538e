/** A room in the service. It holds ciphertext and never the key. */
export interface Room {
  readonly id: string
  /** Instant of its creation, milliseconds since the epoch. */
  readonly createdAt: number
  /** Last instant of activity in the room. */
  readonly activeAt: number
  /** Seq of its latest message. 0 before the first. */
  readonly lastSeq: number
  /** Whether it accepts signed messages only. This is permanent. */
  readonly signedOnly: boolean
}

/** A sealed message in a room's buffer. */
export interface StoredMessage {
  readonly seq: number
  /** UUID. */
  readonly id: string
  /** The sender's label. It is verified only if `senderVerified`. */
  readonly sender: string
  readonly senderVerified: boolean
  /** Standard base64. */
  readonly ciphertext: string
  /** Standard base64 of 24 bytes. */
  readonly nonce: string
  /** Instant of its arrival. */
  readonly ts: number
  /** Id of the message that this one answers. */
  readonly replyTo?: string
  /** Milliseconds that the buffer keeps it. Undefined: no limit of its own. */
  readonly ttlMs?: number
}

/**
 * Returns the instant at which the buffer drops a message because of its lifetime. Infinity if it has none.
 */
export function expiryOf({ ts, ttlMs }: StoredMessage): number {
  return ttlMs === undefined || ttlMs === 0 ? Number.POSITIVE_INFINITY : ts + ttlMs
}

/** Limits of a room's buffer. The first limit that is reached applies. */
export const BUFFER = { messages: 2000, ageMs: 24 * 60 * 60_000 } as const

/** Characters of base64 in one message: 98,288 bytes of UTF-8 once sealed. */
export const MAX_CIPHERTEXT_CHARS = 131_072

/** UTF-16 units of a sender's label. */
export const MAX_SENDER_CHARS = 64

/** Every room id matches this. */
export const ROOM_ID = /^[A-Za-z0-9_-]{4,64}$/

/** A registered handle and its keys. */
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

/** A registered handle matches this. */
export const HANDLE = /^[a-z0-9][a-z0-9_-]{1,31}$/

/** A handle in a lookup matches this. */
const LOOSE_HANDLE = /^[a-z0-9_-]{1,32}$/

/** Returns a handle of a request in lower case. Undefined if it is not a handle. */
export function looseHandle(value: unknown): string | undefined {
  if (typeof value !== 'string') return undefined
  const handle = value.toLowerCase()
  return LOOSE_HANDLE.test(handle) ? handle : undefined
}
