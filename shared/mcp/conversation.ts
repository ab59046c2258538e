import type { IncomingHttpHeaders } from 'node:http'
import type { JSONRPCNotification, JSONRPCRequest, RequestId } from '@modelcontextprotocol/sdk/types.js'
import type { Corruption } from '../faults/corruption.js'
import type { FaultAction } from '../faults/fault.js'
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
  /** True after a modern request. Without `initialize`, only subscriptions notify such a client of changes. */
  modern?: boolean
  /** Name and version of the client, as its `initialize` gave them. */
  client?: { name: string; version: string }
  /** The open calls by the id of their caller. Each holds the id that the host gave it. */
  readonly inflight: Map<RequestId, { readonly id: number }>
  /** Sends a message that belongs to no request. It is dropped if the conversation has no stream for it. */
  notify(message: ServerMessage): void
  /** Cuts the connection as if this process had died. Undefined: the transport cuts all its connections itself. */
  cut?(): void
}

/** Whether a conversation has had modern requests alone: its client knows no legacy notification. */
export function isModernOnly({ modern, version }: Conversation): boolean {
  return modern === true && version === undefined
}

/** The facts about a client that its modern request states. */
export interface ModernRequest {
  readonly capabilities: Readonly<Record<string, unknown>>
}

/** Takes the answer to one request. */
export interface Reply {
  /**
   * Sends the answer; returns its size in bytes.
   *
   * @param sending called with that size just before the answer leaves
   */
  answer(response: JsonRpcResponse | AnonymousError, sending?: (bytes: number) => void): number
  /** Sends something that precedes the answer. */
  notify(message: ServerMessage): void
  /** The answer to come refuses a malformed request: over HTTP, its status is 400. */
  malformed?(): void
  /** No answer will come: the call was cancelled. */
  abandon(): void
  /** Returns a reply that corrupts the answer. In a batch, it corrupts the last answer or the list of all answers. */
  corrupted(how: Corruption): Reply
}

/** The facts of a request that identify its caller. */
export interface CallerClues {
  readonly transport: TransportKind
  readonly session: string | null
  readonly headers: IncomingHttpHeaders
  /** The peer of the socket; undefined where there is none, or it has gone. */
  readonly remoteAddress?: string | undefined
  /** The query of the endpoint's URL. */
  readonly query: URLSearchParams
}

/** Cancels a call, and signals that to its handler. */
export interface Cancellable {
  readonly signal: AbortSignal
  /** Cancels the call; only the first time counts. */
  cancel(reason: string): void
}

/** The part of a call that a fault can change. */
export interface FaultableCall {
  /** The id its caller gave it. */
  readonly callerId: RequestId
  /** Replaced if a fault corrupts the answer. */
  reply: Reply
  readonly cancellation: Cancellable
  /** The fault that was applied. Undefined: none. */
  fault?: FaultAction | 'delayed'
}

/** One request under way. */
export interface Call<Caller> extends FaultableCall {
  /** The id the host knows it by: unique among all conversations. */
  readonly id: number
  readonly method: string
  readonly caller: Caller
  readonly conversation: Conversation
  readonly entry: JournalEntry
  /** Undefined for a legacy request. */
  readonly modern: ModernRequest | undefined
}
