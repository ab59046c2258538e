import type { IncomingHttpHeaders } from 'node:http'
import type { JSONRPCNotification, JSONRPCRequest, RequestId } from '@modelcontextprotocol/sdk/types.js'
import type { Cancellation } from '../cancellation.js'
import type { JournalEntry, TransportKind } from '../journal/entry.js'
import type { AnonymousError, JsonRpcResponse } from './messages.js'

/** A message the server sends of its own accord: a notification, or a request to the client. */
export type ServerMessage = JSONRPCNotification | JSONRPCRequest

/**
 * One party's exchange of messages with a server: a stdio pipe, an in-memory pair, an HTTP session, or
 * the single POST of a caller that opened none. Request ids mean something only within it.
 */
export interface Conversation {
  readonly transport: TransportKind
  readonly session: string | null
  /** The protocol revision that `initialize` agreed on; undefined before it. */
  version?: string
  /** The calls not yet answered, by the id their caller gave them. */
  readonly inflight: Map<RequestId, Call<unknown>>
  /** Sends what belongs to no request in particular; without a way to do so the message is dropped. */
  notify(message: ServerMessage): void
}

/** Where the answer to one request goes. */
export interface Reply {
  /** Sends the answer; returns its size in bytes. */
  answer(response: JsonRpcResponse | AnonymousError): number
  /** Sends something that precedes the answer. */
  notify(message: ServerMessage): void
  /** No answer will come: the call was cancelled. */
  abandon(): void
}

/** What tells who is calling. */
export interface CallerClues {
  readonly transport: TransportKind
  readonly session: string | null
  readonly headers: IncomingHttpHeaders
  /** The peer of the socket; undefined where there is none, or it has gone. */
  readonly remoteAddress?: string | undefined
  /** Of the endpoint's URL. */
  readonly query: URLSearchParams
}

/** One request under way. */
export interface Call<Caller> {
  /** The id the SDK knows it by: unique among all conversations. */
  readonly id: number
  /** The id its caller gave it. */
  readonly callerId: RequestId
  readonly method: string
  readonly caller: Caller
  readonly conversation: Conversation
  readonly reply: Reply
  readonly entry: JournalEntry
  readonly cancellation: Cancellation
}
