import type { IncomingHttpHeaders } from 'node:http'
import type { Arrival, JournalEntry } from '../journal/entry.js'
import type { CallerClues, Conversation, Reply } from './conversation.js'
import type { Revisions } from './revisions.js'

/** A message as it came in. */
export interface Incoming<Caller> {
  message: unknown
  /** The exact body it stood in. */
  raw: string
  /** Which message of that body, from 0, if the body is a batch. */
  batchIndex?: number | undefined
  caller: Caller
  headers: IncomingHttpHeaders
  conversation: Conversation
  reply: Reply
  /** Given the message's entry in the journal before anything comes of it. */
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

/** What stands behind the ways in: a server of this process, or a gateway to one elsewhere. */
export interface MessageHost<Caller> {
  /** The protocol revisions that it serves. Default: the legacy ones. */
  readonly revisions?: Revisions
  /**
   * Who is calling.
   *
   * @throws Refusal if what the caller says of itself cannot be right
   */
  identify(clues: CallerClues): Caller
  /** Takes in one message; the answer, if there is one, goes to its reply. */
  receive(incoming: Incoming<Caller>): void
  /** Lets a lasting conversation hear what the server says to all. */
  join(conversation: Conversation): void
  /** Ends a conversation: what it still has under way is cancelled. */
  leave(conversation: Conversation, reason: string): void
  /** Cancels what a conversation has under way: all of it, or only what would be answered through `reply`. */
  cancelAll(conversation: Conversation, reason: string, reply?: Reply): void
  /** Notes a request that never became a message: refused by the transport, or a GET or DELETE. */
  note(arrival: RefusedArrival): JournalEntry
  /** Ends what a modern client has open until the server stops. */
  endSubscriptions?(): void
  /** Ends an entry that {@link note} opened. */
  noteEnd(entry: JournalEntry, outcome: 'ok' | 'protocol_error' | 'aborted', responseBytes: number): void
}
