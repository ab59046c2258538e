import { Client } from '@modelcontextprotocol/sdk/client/index.js'
import { InMemoryTransport } from '@modelcontextprotocol/sdk/inMemory.js'
import type { RequestId } from '@modelcontextprotocol/sdk/types.js'
import type { Call, Conversation } from './conversation.js'
import type { McpHost } from './host.js'
import { isResponse } from './messages.js'

/**
 * An SDK `Client`, initialized, in this process: no socket, the same way through the host as any other caller.
 *
 * @param session names the conversation, as an HTTP session id would
 * @param headers what the caller says of itself, as it would over HTTP
 */
export async function connectInMemory<Caller>(
  host: McpHost<Caller>,
  session: string,
  headers: Record<string, string>,
): Promise<Client> {
  const caller = host.identify({ transport: 'memory', session, headers, query: new URLSearchParams() })
  const [near, far] = InMemoryTransport.createLinkedPair()
  const conversation: Conversation = {
    transport: 'memory',
    session,
    inflight: new Map<RequestId, Call<unknown>>(),
    notify: message => void far.send(message),
  }
  far.onmessage = message => {
    host.receive({
      message,
      raw: JSON.stringify(message),
      caller,
      headers,
      conversation,
      reply: {
        answer: response => {
          if (isResponse(response)) void far.send(response)
          return Buffer.byteLength(JSON.stringify(response))
        },
        notify: message => void far.send(message),
        abandon: () => undefined,
      },
    })
  }
  far.onclose = () => host.leave(conversation, 'the caller closed the connection')
  host.join(conversation)
  await far.start()
  const client = new Client({ name: 'understudy-client', version: '0.1.0' })
  await client.connect(near)
  return client
}
