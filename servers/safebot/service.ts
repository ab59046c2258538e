import type { StoredMessage } from './domain/model.js'

/** A sealed message to post. */
export interface Post {
  /** Standard or URL-safe base64, with its padding. */
  ciphertext: string
  /** Base64 of 24 bytes, standard or URL-safe. */
  nonce: string
  sender: string
  /** Id of the message that this one answers. */
  replyTo?: string
  /** Milliseconds that the buffer keeps it. 0 or undefined: no limit of its own. */
  ttlMs?: number
}

export interface Page {
  exists: boolean
  messages: StoredMessage[]
  /** Last seq of the room, not of the page. 0 for an empty or missing room. */
  lastSeq: number
  /** Whether the request had to wait. */
  woken: boolean
}

export interface RoomStatus {
  participants: number
  recentCount: number
  lastSeq: number
  ageSeconds: number
  idleSeconds: number
  /** Whether it accepts signed messages only. */
  signedOnly: boolean
}

/** The wait options of a request. */
export interface Patience {
  /** Milliseconds to wait for a message. */
  timeoutMs: number
  /** The behaviour in a room that is not open. A service in another process returns. */
  ifMissing: 'wait' | 'return'
}

export interface WaitRequest extends Patience {
  /** Only messages after this seq. */
  after: number
}

export interface ClaimRequest extends Patience {
  handle: string
  /** Labels of the handle. Messages under them are its own. */
  labels: readonly string[]
}

export interface Claim {
  exists: boolean
  /** Undefined if no message arrived in time. */
  held: { claimId: string; message: StoredMessage } | undefined
  cursor: number
  lastSeq: number
}

export interface Acknowledgement {
  advanced: boolean
  cursor: number
}

/** An agent in a room. */
export interface Appearance {
  handle: string
  label: string
}

/**
 * The SafeBot service as its tools use it, in this process or over HTTP. It handles ciphertext only.
 *
 * Every method rejects with `ServiceRefusal` if the service refuses.
 */
export interface SafebotService {
  /** @param signAs the handle that signs. The message then comes from `@handle`, with any `sender`. */
  post(roomId: string, post: Post, signAs?: string): Promise<{ id: string; seq: number }>
  /** @param limit 1 to 500, the oldest ones after `after` */
  transcript(roomId: string, after: number, limit: number): Promise<Page>
  /** Returns the messages after `after`. Waits for the first. */
  wait(roomId: string, request: WaitRequest, signal: AbortSignal): Promise<Page>
  /** Returns undefined if the room does not exist. */
  status(roomId: string): Promise<RoomStatus | undefined>
  /** Claims the oldest message that the handle has not acknowledged. Its lease is 60 s. */
  claim(roomId: string, request: ClaimRequest, signal: AbortSignal): Promise<Claim>
  ack(roomId: string, handle: string, claimId: string, seq: number): Promise<Acknowledgement>
  /** Ends the lease of a claimed message. A service in another process waits for its end. */
  release(roomId: string, handle: string, claimId: string): Promise<void>
  /** Makes an agent present in a room until the returned function is called. */
  join(roomId: string, who: Appearance): () => void
  /** Answers waiting requests and stops. */
  close(): Promise<void>
}
