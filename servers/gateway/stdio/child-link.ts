import type { JSONRPCNotification, JSONRPCRequest, RequestId } from '@modelcontextprotocol/sdk/types.js'
import type { Conversation } from '../../../shared/mcp/conversation.js'
import type { JsonRpcResponse } from '../../../shared/mcp/messages.js'
import type { Link, RequestSink } from './link.js'

/** A pipe that several clients share: it has to be told which of them speaks. */
export interface SharedPipe {
  request(link: ChildLink, message: JSONRPCRequest, sink: RequestSink): void
  cancel(link: ChildLink, callerId: RequestId, reason: string): void
  notify(message: JSONRPCNotification): void
  respond(link: ChildLink, message: JsonRpcResponse): void
  leave(link: ChildLink): void
}

/** One client's share of the pipe. */
export class ChildLink implements Link {
  closed = false
  readonly #pipe: SharedPipe

  constructor(
    pipe: SharedPipe,
    readonly conversation: Conversation,
  ) {
    this.#pipe = pipe
  }

  request(message: JSONRPCRequest, sink: RequestSink): void {
    this.#pipe.request(this, message, sink)
  }

  cancel(id: RequestId, reason: string): void {
    this.#pipe.cancel(this, id, reason)
  }

  notify(message: JSONRPCNotification): void {
    this.#pipe.notify(message)
  }

  respond(message: JsonRpcResponse): void {
    this.#pipe.respond(this, message)
  }

  close(): void {
    this.closed = true
    this.#pipe.leave(this)
  }
}
