import type { StoredMessage } from './domain/model.js'

/** A message to be posted: sealed already. */
export interface Post {
  /** Standard or URL-safe base64, with its padding. */
  ciphertext: string
  /** Likewise, of 24 bytes. */
  nonce: string
  sender: string
  /** Id of the message this one answers. */
  replyTo?: string
  /** How long the buffer is to keep it, in milliseconds; 0 or none: as long as any. */
  ttlMs?: number
}

export interface Page {
  exists: boolean
  messages: StoredMessage[]
  /** Of the room, not of the page; 0 for a room that is empty or missing. */
  lastSeq: number
  /** Whether it came to a call that was parked. */
  woken: boolean
}

export interface RoomStatus {
  participants: number
  recentCount: number
  lastSeq: number
  ageSeconds: number
  idleSeconds: number
  /** Whether it takes signed messages only. */
  signedOnly: boolean
}

/** What a call that may park in a room says about that. */
export interface Patience {
  /** How long to wait for a message. */
  timeoutMs: number
  /** What to do about a room that nobody has opened yet. A service far away returns. */
  ifMissing: 'wait' | 'return'
}

export interface WaitRequest extends Patience {
  /** Only messages behind this seq. */
  after: number
}

export interface ClaimRequest extends Patience {
  handle: string
  /** Labels the handle goes by: what was sent under them is its own. */
  labels: readonly string[]
}

export interface Claim {
  exists: boolean
  /** Undefined if the time passed without a message. */
  held: { claimId: string; message: StoredMessage } | undefined
  cursor: number
  lastSeq: number
}

export interface Acknowledgement {
  advanced: boolean
  cursor: number
}

/** An agent as it appears in a room. */
export interface Appearance {
  handle: string
  label: string
}

/**
 * The SafeBot service as its tools need it: ciphertext in, ciphertext out. The tools do not know whether it runs
 * in this process or is reached over HTTP.
 *
 * Every method rejects with `ServiceRefusal` for what the service turns down.
 */
export interface SafebotService {
  /** @param signAs the handle that vouches for it; the message then comes from `@handle`, whatever `sender` says */
  post(roomId: string, post: Post, signAs?: string): Promise<{ id: string; seq: number }>
  /** @param limit 1 to 500; the oldest ones after `after` */
  transcript(roomId: string, after: number, limit: number): Promise<Page>
  /** The messages after `after`, waiting for the first. */
  wait(roomId: string, request: WaitRequest, signal: AbortSignal): Promise<Page>
  /** Undefined if there is no such room. */
  status(roomId: string): Promise<RoomStatus | undefined>
  /** The oldest message the handle has not acknowledged, leased to it for 60 s. */
  claim(roomId: string, request: ClaimRequest, signal: AbortSignal): Promise<Claim>
  ack(roomId: string, handle: string, claimId: string, seq: number): Promise<Acknowledgement>
  /** Gives a claimed message back, as if it had not been claimed; a service far away lets its lease run out. */
  release(roomId: string, handle: string, claimId: string): Promise<void>
  /** An agent is present in a room until the returned function is called. */
  join(roomId: string, who: Appearance): () => void
  /** Answers what is parked, and stops. */
  close(): Promise<void>
}
