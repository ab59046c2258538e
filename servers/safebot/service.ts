import type { StoredMessage } from './domain/room.js'

/** A message to be posted: sealed already. */
export interface Post {
  /** Standard base64. */
  ciphertext: string
  /** Standard base64 of 24 bytes. */
  nonce: string
  sender: string
}

export interface Page {
  exists: boolean
  messages: StoredMessage[]
  /** Of the room, not of the page; 0 for a room that is empty or missing. */
  lastSeq: number
}

export interface RoomStatus {
  participants: number
  recentCount: number
  lastSeq: number
  ageSeconds: number
  idleSeconds: number
}

export interface ClaimRequest {
  handle: string
  /** Labels the handle goes by: what was sent under them is its own. */
  labels: readonly string[]
  /** How long to wait for a message. */
  timeoutMs: number
}

export interface Claim {
  /** Undefined if the time passed without a message. */
  held: { claimId: string; message: StoredMessage } | undefined
  cursor: number
  lastSeq: number
}

export interface Acknowledgement {
  advanced: boolean
  cursor: number
}

/**
 * The SafeBot service as its tools need it: ciphertext in, ciphertext out. The tools do not know whether it runs
 * in this process or is reached over HTTP.
 *
 * Every method rejects with `ServiceRefusal` for what the service turns down.
 */
export interface SafebotService {
  post(roomId: string, post: Post): Promise<{ id: string; seq: number }>
  /** @param limit 1 to 500; the oldest ones after `after` */
  transcript(roomId: string, after: number, limit: number): Promise<Page>
  /** The messages after `after`, waiting up to `timeoutMs` for the first. */
  wait(roomId: string, after: number, timeoutMs: number, signal: AbortSignal): Promise<Page>
  /** Undefined if there is no such room. */
  status(roomId: string): Promise<RoomStatus | undefined>
  /** The oldest message the handle has not acknowledged, leased to it for 60 s. */
  claim(roomId: string, request: ClaimRequest, signal: AbortSignal): Promise<Claim>
  ack(roomId: string, handle: string, claimId: string, seq: number): Promise<Acknowledgement>
  /** Gives a claimed message back, as if it had not been claimed. */
  release(roomId: string, handle: string, claimId: string): Promise<void>
  /** An agent is present in a room until the returned function is called. */
  join(roomId: string): () => void
  /** Answers what is parked, and stops. */
  close(): Promise<void>
}
