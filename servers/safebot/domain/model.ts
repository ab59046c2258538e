/** A room. The service never has the key of the room's messages. */
export interface Room {
  readonly id: string
  /** Instant of the room's creation, in milliseconds since the epoch. */
  readonly createdAt: number
  /** Instant of the last activity in the room, in milliseconds since the epoch. */
  readonly activeAt: number
  /** The `seq` of the latest message. 0 before the first message. */
  readonly lastSeq: number
  /** Whether the room accepts only signed messages. Once true, this does not change. */
  readonly signedOnly: boolean
}

/** A sealed message in a room's buffer. */
export interface StoredMessage {
  readonly seq: number
  /** A UUID. */
  readonly id: string
  /** The sender's label. If `senderVerified` is true, `@` and the handle that has signed the message. */
  readonly sender: string
  readonly senderVerified: boolean
  /** Base64. */
  readonly ciphertext: string
  /** Base64 of 24 bytes. */
  readonly nonce: string
  /** Instant of the message's arrival, in milliseconds since the epoch. */
  readonly ts: number
  /** Id of the message that this message answers. */
  readonly replyTo?: string
  /** Requested lifetime in milliseconds. Undefined: only the limits of the buffer apply. */
  readonly ttlMs?: number
}

/** Returns the instant at which the requested lifetime of a message ends. Infinity if it has none. */
export function expiryOf({ ts, ttlMs }: StoredMessage): number {
  return ttlMs === undefined || ttlMs === 0 ? Number.POSITIVE_INFINITY : ts + ttlMs
}

/**
 * Limits of a room's buffer. The buffer drops a message that exceeds either of them. The service's numbers.
 */
export const BUFFER = { messages: 2000, ageMs: 24 * 60 * 60_000 } as const

/** Maximum length of a ciphertext in base64 characters. A text of 98,288 bytes fits. The service's number. */
export const MAX_CIPHERTEXT_CHARS = 131_072

/** Maximum length of a sender's label in UTF-16 units. The service's number. */
export const MAX_SENDER_CHARS = 64

/** Every room id matches this. */
export const ROOM_ID = /^[A-Za-z0-9_-]{4,64}$/

/** A registered handle with its public keys. */
export interface Identity {
  readonly handle: string
  /** Base64 of the 32 bytes of an X25519 public key. */
  readonly boxPub: string
  /** Base64 of the 32 bytes of an Ed25519 public key. */
  readonly signPub: string
  /** Instant of the registration, in milliseconds since the epoch. */
  readonly registeredAt: number
  readonly meta: { readonly bio?: string }
}

/** Every registered handle matches this. */
export const HANDLE = /^[a-z0-9][a-z0-9_-]{1,31}$/

/**
 * Every handle in a claim, an ack or a signature matches this. It may be a handle that cannot be registered.
 */
const LOOSE_HANDLE = /^[a-z0-9_-]{1,32}$/

/** Returns the handle of a request in lower case. Undefined if the value is not a handle. */
export function looseHandle(value: unknown): string | undefined {
  if (typeof value !== 'string') return undefined
  const handle = value.toLowerCase()
  return LOOSE_HANDLE.test(handle) ? handle : undefined
}
