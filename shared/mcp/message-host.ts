import type { IncomingHttpHeaders } from 'node:http'
import type { Arrival, JournalEntry } from '../journal/entry.js'
import type { CallerClues, Conversation, Reply } from './conversation.js'
import type { Revisions } from './revisions.js'

/** A message as it came in. */
export interface Incoming<Caller> {
  message: unknown
  /** The exact body that held the message. */
  raw: string
  /** Index of the message in the body, from 0, if the body is a batch. */
  batchIndex?: number | undefined
  caller: Caller
  headers: IncomingHttpHeaders
  conversation: Conversation
  reply: Reply
  /** Called with the message's journal entry before the message is handled. */
  opened?(entry: JournalEntry): void
}

/** A request that the transport answered, or refused, by itself. */
export interface RefusedArrival
  extends Pick<Arrival, 'transport' | 'session' | 'caller' | 'headers' | 'raw'> {
  /** `POST /mcp` and the like, for a body that names no method; null: there is nothing to name. */
  method: string | null
  /** The body, parsed, as far as it could be. */
  message?: unknown
}

/** Serves the messages of all transports: an MCP server of this process, or a gateway to another server. */
export interface MessageHost<Caller> {
  /** The protocol revisions that it serves. Default: the legacy ones. */
  readonly revisions?: Revisions
  /**
   * Identifies the caller.
   *
   * @throws Refusal if the caller's statements about itself cannot be right
   */
  identify(clues: CallerClues): Caller
  /** Handles one message. The answer, if there is one, goes to the message's reply. */
  receive(incoming: Incoming<Caller>): void
  /** Lets a lasting conversation hear what the server says to all. */
  join(conversation: Conversation): void
  /** Ends a conversation and cancels its open calls. */
  leave(conversation: Conversation, reason: string): void
  /** Cancels the open calls of a conversation: all, or only those that `reply` would answer. */
  cancelAll(conversation: Conversation, reason: string, reply?: Reply): void
  /** Notes a request that never became a message: refused by the transport, or a GET or DELETE. */
  note(arrival: RefusedArrival): JournalEntry
  /** Ends the subscriptions of modern clients. */
  endSubscriptions?(): void
  /** Ends an entry that {@link note} opened. */
  noteEnd(entry: JournalEntry, outcome: 'ok' | 'protocol_error' | 'aborted', responseBytes: number): void
}
