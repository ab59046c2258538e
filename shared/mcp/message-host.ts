import type { IncomingHttpHeaders } from 'node:http'
import type { Arrival, JournalEntry } from '../journal/entry.js'
import type { CallerClues, Conversation, Reply } from './conversation.js'
import type { Revisions } from './revisions.js'

/** A message that a transport has received, with its context. */
export interface Incoming<Caller> {
  message: unknown
  /** The exact body that held the message. */
  raw: string
  /** Index of the message in a batch, from 0. Undefined if the body is not a batch. */
  batchIndex?: number | undefined
  caller: Caller
  headers: IncomingHttpHeaders
  conversation: Conversation
  reply: Reply
  /** Called with the message's journal entry before the message is handled. */
  opened?(entry: JournalEntry): void
}

/** A request that the transport answered or refused without passing it to the host. */
export interface RefusedArrival
  extends Pick<Arrival, 'transport' | 'session' | 'caller' | 'headers' | 'raw'> {
  /**
   * The method that the journal records if the body names none, for example `POST /mcp`. Null on a transport
   * other than HTTP.
   */
  method: string | null
  /** The parsed body. Undefined if the body could not be parsed. */
  message?: unknown
}

/**
 * Handles the messages of all transports. It is an MCP server of this process, or a gateway to another
 * server.
 */
export interface MessageHost<Caller> {
  /** The protocol revisions that the host serves. Default: the legacy revisions. */
  readonly revisions?: Revisions
  /**
   * Identifies the caller.
   *
   * @throws Refusal if the request identifies its caller in an invalid way
   */
  identify(clues: CallerClues): Caller
  /** Handles one message. The answer, if there is one, is sent through the reply of the message. */
  receive(incoming: Incoming<Caller>): void
  /**
   * Adds a session, a pipe or an in-memory pair. The messages that the server sends to all clients are then
   * sent to it too.
   */
  join(conversation: Conversation): void
  /** Ends a conversation and cancels its open calls. */
  leave(conversation: Conversation, reason: string): void
  /**
   * Cancels the open calls of a conversation.
   *
   * @param reply if given, only the calls that this reply answers are cancelled
   */
  cancelAll(conversation: Conversation, reason: string, reply?: Reply): void
  /**
   * Opens the journal entry of a request that never reaches `receive`, because the transport answers or
   * refuses it. Examples are GET and DELETE.
   */
  note(arrival: RefusedArrival): JournalEntry
  /** Ends the subscriptions of modern clients. */
  endSubscriptions?(): void
  /** Closes a journal entry that {@link note} opened. */
  noteEnd(entry: JournalEntry, outcome: 'ok' | 'protocol_error' | 'aborted', responseBytes: number): void
}
