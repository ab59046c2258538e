import type { JSONRPCNotification, JSONRPCRequest, RequestId } from '@modelcontextprotocol/sdk/types.js'
import type { Conversation, ServerMessage } from '../../../shared/mcp/conversation.js'
import type { JsonRpcResponse } from '../../../shared/mcp/messages.js'

/** Receives the answer to one request, and all that precedes it. */
export interface RequestSink {
  /** @param status of HTTP; null on a pipe. `lost`: no answer came, and the gateway gives this one */
  answered(response: JsonRpcResponse, status: number | null, lost?: 'lost'): void
  /** Something that precedes the answer. */
  preceded(message: ServerMessage): void
  /** The upstream ends a subscription, as it does on a pipe: without an answer. */
  dismissed(reason: string): void
}

/** One client's line to the upstream. Ids are those of the client, in both directions. */
export interface Link {
  request(message: JSONRPCRequest, sink: RequestSink): void
  /** The client has taken a request back; its sink is not called any more. */
  cancel(id: RequestId, reason: string): void
  notify(message: JSONRPCNotification): void
  /** The client's answer to a request of the upstream. */
  respond(message: JsonRpcResponse): void
  /** The client is gone. */
  close(): void
}

/** The upstream of a relay that passes single messages. */
export interface Upstream {
  open(conversation: Conversation): Link
  close(): Promise<void>
}
