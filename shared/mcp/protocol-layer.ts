import type { IncomingHttpHeaders } from 'node:http'
import type {
  JSONRPCErrorResponse,
  JSONRPCRequest,
  RequestId,
  Result,
} from '@modelcontextprotocol/sdk/types.js'
import type { JournalEntry, ProtocolNotes } from '../journal/entry.js'
import type { Call, Conversation, ModernRequest, ServerMessage } from './conversation.js'
import type { Incoming } from './message-host.js'
import type { AnonymousError, JsonRpcResponse } from './messages.js'

/**
 * Runs the requests of one method, in both eras.
 *
 * @throws McpError for a protocol error with that code
 * @throws UnknownTool for a call of an unknown tool
 */
export type RequestHandler<Caller> = (call: Call<Caller>, params: JSONRPCRequest['params']) => Promise<Result>

/** A message that a layer examines before the message is handled. */
export interface Arrived<Caller> {
  readonly message: unknown
  readonly headers: IncomingHttpHeaders
  /** Undefined for a request that the transport refused. */
  readonly conversation?: Conversation
  /** Undefined for a request that the transport refused. */
  readonly caller?: Caller
}

/** The result of examining a message: notes for the journal, and an error if the message is refused. */
export interface Examined extends ProtocolNotes {
  readonly refusal?: JSONRPCErrorResponse | undefined
}

/**
 * The protocol layer of one era. The layer examines messages, answers requests that have no handler, and
 * formats answers.
 */
export interface ProtocolLayer<Caller> {
  /** Examines a message before its journal entry is opened. */
  examine(arrived: Arrived<Caller>): Examined
  /** Handles a message after its journal entry has been opened. */
  receive(incoming: Incoming<Caller>, entry: JournalEntry, examined: Examined): void
  /** Runs a request that `HostCore.start` has added to the open calls. */
  run(call: Call<Caller>, request: JSONRPCRequest, headers: IncomingHttpHeaders): void
  /** Returns an answer in the form that this era requires. */
  formatAnswer(call: Call<Caller>, response: JsonRpcResponse): JsonRpcResponse
  /** Returns the answer to a call of a tool that does not exist. */
  unknownTool(call: Call<Caller>, text: string): JsonRpcResponse
  /** Called when a call is answered. */
  answered(call: Call<Caller>, response: JsonRpcResponse): void
  /** Called when a call was cancelled. */
  cancelled(call: Call<Caller>, reason: string): void
  /** Called when a call has ended, with or without an answer. */
  ended(call: Call<Caller>): void
  /** Notifies the clients that the list of tools has changed. */
  announceTools(): void
  close(): Promise<void>
}

/** The functions of a host that its two protocol layers call. */
export interface HostCore<Caller> {
  readonly handlers: ReadonlyMap<string, RequestHandler<Caller>>
  /** Starts a request: gives it an id, applies a fault if one is due, and lets its layer run the request. */
  start(
    request: JSONRPCRequest,
    incoming: Incoming<Caller>,
    entry: JournalEntry,
    modern?: ModernRequest,
  ): void
  /** Runs a handler and answers with its result. */
  run(handler: RequestHandler<Caller>, call: Call<Caller>, params: JSONRPCRequest['params']): void
  /** Answers an open call. */
  answer(call: Call<Caller>, response: JsonRpcResponse): void
  /** Refuses a request with an error and closes its journal entry. */
  refuse(incoming: Incoming<Caller>, entry: JournalEntry, answer: JsonRpcResponse | AnonymousError): void
  /** Closes the journal entry of a message that has no answer. */
  accept(entry: JournalEntry): void
  /** Handles `notifications/cancelled` from a client: cancels the call that the notification names. */
  cancelByNotice(params: unknown, conversation: Conversation): void
  /** Ends a call without an answer. */
  dismiss(call: Call<Caller>): void
  /** Returns the open call to which the host gave this id. Returns undefined if no open call has the id. */
  callById(id: RequestId): Call<Caller> | undefined
  /**
   * Sends a legacy message to each conversation of the host, except conversations with only modern requests.
   */
  broadcast(message: ServerMessage): void
}
