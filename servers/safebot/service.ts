import type { StoredMessage } from './domain/model.js'

/** A sealed message that is to be posted. */
export interface NewMessage {
  /** Standard or URL-safe base64, with padding. */
  ciphertext: string
  /** Base64 of 24 bytes, standard or URL-safe. */
  nonce: string
  /** Label of the sender. */
  sender: string
  /** Id of the message that this message answers. */
  replyTo?: string
  /**
   * Requested lifetime in the buffer, in milliseconds. 0 or undefined: only the limits of the buffer apply.
   */
  ttlMs?: number
}

/** The messages in one answer. */
export interface MessagePage {
  /** Whether the room exists. */
  exists: boolean
  messages: StoredMessage[]
  /**
   * The `seq` of the room's last message, which may not be in this answer. 0 for an empty or missing room.
   */
  lastSeq: number
  /** Whether the request has waited. */
  woken: boolean
}

export interface RoomStatus {
  /** Number of connected participants. */
  participants: number
  /** Number of buffered messages. */
  recentCount: number
  /** The `seq` of the last message. 0 before the first message. */
  lastSeq: number
  /** Whole seconds since the room was opened. */
  ageSeconds: number
  /** Whole seconds since the last activity in the room. */
  idleSeconds: number
  /** Whether the room accepts only signed messages. */
  signedOnly: boolean
}

/** The options of a request that may wait. */
export interface WaitOptions {
  /** Maximum wait for a message, in milliseconds. */
  timeoutMs: number
  /** The behaviour if the room does not exist. The HTTP API of a service always returns. */
  ifMissing: 'wait' | 'return'
}

export interface WaitRequest extends WaitOptions {
  /** The request asks for messages with a higher `seq`. */
  after: number
}

export interface ClaimRequest extends WaitOptions {
  handle: string
  /** The handle's labels in the room. Messages from these labels are no tasks for the handle. */
  labels: readonly string[]
}

/** The result of a claim. */
export interface Claim {
  /** Whether the room exists. */
  exists: boolean
  /** The claimed message and the id of the claim. Undefined if no message arrived in time. */
  task: { claimId: string; message: StoredMessage } | undefined
  /** The `seq` of the last message that the handle has acknowledged. */
  cursor: number
  /** The `seq` of the room's last message. */
  lastSeq: number
}

/** The result of an ack. */
export interface Acknowledgement {
  /** Whether the cursor has moved. False: the message had been acknowledged before. */
  advanced: boolean
  /** The cursor after the ack. */
  cursor: number
}

/** The names of an agent in a room. */
export interface AgentInRoom {
  handle: string
  label: string
}

/**
 * The SafeBot service as the tools use it: in this process, or in another process over HTTP. It receives and
 * returns only encrypted messages.
 *
 * A method throws `ServiceRefusal` if the service refuses the request. `signal` is aborted when the caller
 * leaves.
 */
export interface SafebotService {
  /**
   * Posts a message, and opens the room if it does not exist.
   *
   * @param signAs the handle that signs the message. The sender is then `@` and this handle. Default: the
   *   message is not signed
   */
  post(roomId: string, post: NewMessage, signAs?: string): Promise<{ id: string; seq: number }>
  /**
   * Returns the oldest buffered messages after the seq `after`.
   *
   * @param limit maximum number of messages, 1 to 500
   */
  transcript(roomId: string, after: number, limit: number): Promise<MessagePage>
  /** Returns the messages after `request.after`. If there is none, waits for one. */
  wait(roomId: string, request: WaitRequest, signal: AbortSignal): Promise<MessagePage>
  /** Returns the status of a room. Undefined if the room does not exist. */
  status(roomId: string): Promise<RoomStatus | undefined>
  /**
   * Claims the oldest message that the handle has not acknowledged, for 60 s. If there is none, waits for
   * one.
   */
  claim(roomId: string, request: ClaimRequest, signal: AbortSignal): Promise<Claim>
  /** Acknowledges a claimed message. */
  ack(roomId: string, handle: string, claimId: string, seq: number): Promise<Acknowledgement>
  /**
   * Ends the lease of a claimed message. A service in another process cannot do this, so there the lease
   * expires.
   */
  release(roomId: string, handle: string, claimId: string): Promise<void>
  /** Makes an agent present in a room until the returned function is called. */
  join(roomId: string, agent: AgentInRoom): () => void
  /** Ends waiting requests with `shutting_down`, and stops. */
  close(): Promise<void>
}
