import type { JSONRPCNotification, JSONRPCRequest, RequestId } from '@modelcontextprotocol/sdk/types.js'
import type { Conversation, ServerMessage } from '../../../shared/mcp/conversation.js'
import type { JsonRpcResponse } from '../../../shared/mcp/messages.js'

/** Receives the answer to one request, and all messages that precede the answer. */
export interface RequestSink {
  /**
   * @param status HTTP status. Null on a pipe
   * @param lost `lost` if the upstream gave no answer, and the response is an error of the gateway
   */
  answered(response: JsonRpcResponse, status: number | null, lost?: 'lost'): void
  /** Called with a message that precedes the answer. */
  preceded(message: ServerMessage): void
  /** Called when the upstream ends a subscription without an answer, as a server on a pipe does. */
  dismissed(reason: string): void
}

/**
 * The connection of one client to the upstream. Messages in both directions have the client's own request
 * ids.
 */
export interface Link {
  request(message: JSONRPCRequest, sink: RequestSink): void
  /** Cancels a request of the client. An answer that was already on its way can still reach the sink. */
  cancel(id: RequestId, reason: string): void
  notify(message: JSONRPCNotification): void
  /** Sends the client's answer to a request of the upstream. */
  respond(message: JsonRpcResponse): void
  /** Closes the connection, because the client has disconnected. */
  close(): void
}

/** The upstream of a relay that passes single messages. */
export interface Upstream {
  open(conversation: Conversation): Link
  close(): Promise<void>
}
