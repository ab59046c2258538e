import type { JSONRPCNotification, JSONRPCRequest, RequestId } from '@modelcontextprotocol/sdk/types.js'
import type { Conversation, ServerMessage } from '../../../shared/mcp/conversation.js'
import type { JsonRpcResponse } from '../../../shared/mcp/messages.js'

/**
 * Receives the answer to one request. Also receives the messages that the upstream sends before the answer.
 */
export interface RequestSink {
  /**
   * @param status the HTTP status of the answer. Null if the upstream is on a pipe
   * @param lost `lost` if the upstream gave no answer. The response is then an error of the gateway
   */
  answered(response: JsonRpcResponse, status: number | null, lost?: 'lost'): void
  /** Called with a message that the upstream sends before the answer. */
  preceded(message: ServerMessage): void
  /** Called when the upstream cancels a subscription. Only a server on a pipe does so. */
  dismissed(reason: string): void
}

/**
 * The connection of one client to the upstream. The messages in both directions have the request ids of the
 * client.
 */
export interface Link {
  request(message: JSONRPCRequest, sink: RequestSink): void
  /** Cancels a request of the client. Its sink can still get an answer that the upstream has already sent. */
  cancel(id: RequestId, reason: string): void
  notify(message: JSONRPCNotification): void
  /** Sends the answer of the client to a request of the upstream. */
  respond(message: JsonRpcResponse): void
  /** Closes the connection. Called when the client has disconnected. */
  close(): void
}

/** An upstream to which `RelayHost` passes single messages. */
export interface Upstream {
  open(conversation: Conversation): Link
  close(): Promise<void>
}
