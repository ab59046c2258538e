import type { IncomingHttpHeaders } from 'node:http'
import type { JSONRPCNotification, JSONRPCRequest, RequestId } from '@modelcontextprotocol/sdk/types.js'
import type { Corruption } from '../faults/corruption.js'
import type { FaultAction } from '../faults/fault.js'
import type { JournalEntry, TransportKind } from '../journal/entry.js'
import type { AnonymousError, JsonRpcResponse } from './messages.js'

/** A message from the server that is not an answer: a notification, or a request to the client. */
export type ServerMessage = JSONRPCNotification | JSONRPCRequest

/**
 * The exchange of messages between one client and a server. A conversation uses a stdio pipe, an in-memory
 * pair, an HTTP session, or a single POST without a session. A request id has a meaning only within its
 * conversation.
 */
export interface Conversation {
  readonly transport: TransportKind
  readonly session: string | null
  /** The protocol revision from the answer to `initialize`. Undefined before `initialize` is answered. */
  version?: string
  /**
   * True after the first modern request. If the client has not sent `initialize`, it is notified of changes
   * only through subscriptions.
   */
  modern?: boolean
  /** Name and version of the client, from its `initialize` request. */
  client?: { name: string; version: string }
  /**
   * The open calls. The key is the request id that the caller chose. `id` is the id that the host gave to the
   * call.
   */
  readonly inflight: Map<RequestId, { readonly id: number }>
  /**
   * Sends a message that belongs to no request. The message is dropped if the conversation has no stream for
   * it.
   */
  notify(message: ServerMessage): void
  /**
   * Cuts the connection as if this process had died. Undefined if the transport itself cuts all its
   * connections.
   */
  cut?(): void
}

/**
 * Returns whether a conversation has only had modern requests. The client of such a conversation does not
 * understand legacy notifications.
 */
export function isModernOnly({ modern, version }: Conversation): boolean {
  return modern === true && version === undefined
}

/** The facts about a client that its modern request states. */
export interface ModernRequest {
  readonly capabilities: Readonly<Record<string, unknown>>
}

/** Sends the answer to one request. */
export interface Reply {
  /**
   * Sends the answer and returns its size in bytes.
   *
   * @param sending called with the size just before the answer is sent
   */
  answer(response: JsonRpcResponse | AnonymousError, sending?: (bytes: number) => void): number
  /** Sends a message that precedes the answer. */
  notify(message: ServerMessage): void
  /** Marks the request as malformed. Over HTTP, the answer then has the status 400. */
  malformed?(): void
  /** Ends the reply without an answer, because the call was cancelled. */
  abandon(): void
  /**
   * Returns a reply that corrupts the answer. If the answers to a batch are sent one by one on a stream, the
   * last one is corrupted. If they are sent as one list, the list is corrupted.
   */
  corrupted(how: Corruption): Reply
}

/** The facts of a request that identify its caller. */
export interface CallerClues {
  readonly transport: TransportKind
  readonly session: string | null
  readonly headers: IncomingHttpHeaders
  /**
   * The peer address of the socket. Undefined for a transport without a socket, and after the peer has
   * disconnected.
   */
  readonly remoteAddress?: string | undefined
  /** The query of the endpoint's URL. */
  readonly query: URLSearchParams
}

/** Cancels a call and signals the cancellation to the handler of the call. */
export interface Cancellable {
  readonly signal: AbortSignal
  /** Cancels the call. Further cancellations have no effect. */
  cancel(reason: string): void
}

/** The part of a call that a fault can change. */
export interface FaultableCall {
  /** The request id that the caller chose. */
  readonly callerId: RequestId
  /** The reply of the call. A fault that corrupts the answer replaces this reply. */
  reply: Reply
  readonly cancellation: Cancellable
  /** The fault that was applied. Undefined if no fault was applied. */
  fault?: FaultAction | 'delayed'
}

/** One request that has not been answered yet. */
export interface Call<Caller> extends FaultableCall {
  /** The id that the host gave to the call, which is unique among all conversations. */
  readonly id: number
  readonly method: string
  readonly caller: Caller
  readonly conversation: Conversation
  readonly entry: JournalEntry
  /** Undefined for a legacy request. */
  readonly modern: ModernRequest | undefined
}
