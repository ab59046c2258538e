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
 * Runs the requests of one method, in either era.
 *
 * @throws McpError for a protocol error of that code; UnknownTool
 */
export type RequestHandler<Caller> = (call: Call<Caller>, params: JSONRPCRequest['params']) => Promise<Result>

/** A message as an era looks at it before anything is done. */
export interface Arrived<Caller> {
  readonly message: unknown
  readonly headers: IncomingHttpHeaders
  /** Undefined for a request that the transport refused. */
  readonly conversation?: Conversation
  /** Undefined for a request that the transport refused. */
  readonly caller?: Caller
}

/** The findings of an era about a message: notes for the journal, and a refusal if the message is not taken in. */
export interface Examined extends ProtocolNotes {
  readonly refusal?: JSONRPCErrorResponse | undefined
}

/** The messages of one era: what they look like, which requests there are beside those of handlers, how answers are written. */
export interface ProtocolLayer<Caller> {
  /** Looks at a message before its entry is opened. */
  examine(arrived: Arrived<Caller>): Examined
  /** Takes in a message whose entry has just been opened. */
  receive(incoming: Incoming<Caller>, entry: JournalEntry, examined: Examined): void
  /** Runs a request that `HostCore.start` has taken in. */
  run(call: Call<Caller>, request: JSONRPCRequest, headers: IncomingHttpHeaders): void
  /** An answer as this era writes it. */
  written(call: Call<Caller>, response: JsonRpcResponse): JsonRpcResponse
  /** The answer to a call of a tool that does not exist. */
  unknownTool(call: Call<Caller>, text: string): JsonRpcResponse
  /** A call was answered. */
  answered(call: Call<Caller>, response: JsonRpcResponse): void
  /** A call was cancelled. */
  cancelled(call: Call<Caller>, reason: string): void
  /** A call is over, whatever became of it. */
  ended(call: Call<Caller>): void
  /** Tells the clients that the list of tools has changed. */
  announceTools(): void
  close(): Promise<void>
}

/** The parts of a host that its two layers use. */
export interface HostCore<Caller> {
  readonly handlers: ReadonlyMap<string, RequestHandler<Caller>>
  /** Starts a request: gives it an id, applies an active fault, and lets its era run the request. */
  start(
    request: JSONRPCRequest,
    incoming: Incoming<Caller>,
    entry: JournalEntry,
    modern?: ModernRequest,
  ): void
  /** Runs a handler and answers with its result. */
  run(handler: RequestHandler<Caller>, call: Call<Caller>, params: JSONRPCRequest['params']): void
  /** Answers a call that is under way. */
  answer(call: Call<Caller>, response: JsonRpcResponse): void
  /** Answers a request that is not taken in. */
  refuse(incoming: Incoming<Caller>, entry: JournalEntry, answer: JsonRpcResponse | AnonymousError): void
  /** Closes the entry of a message that has no answer. */
  accept(entry: JournalEntry): void
  /** Cancels the call that a client's `notifications/cancelled` names. */
  cancelByNotice(params: unknown, conversation: Conversation): void
  /** Ends a call without an answer. */
  dismiss(call: Call<Caller>): void
  /** The call under way by the id that the host gave it. */
  callById(id: RequestId): Call<Caller> | undefined
  /** Sends a legacy message to each lasting conversation that is not modern alone. */
  broadcast(message: ServerMessage): void
}
