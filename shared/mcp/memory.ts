import { Client } from '@modelcontextprotocol/sdk/client/index.js'
import { InMemoryTransport } from '@modelcontextprotocol/sdk/inMemory.js'
import type { RequestId } from '@modelcontextprotocol/sdk/types.js'
import type { Corruption } from '../faults/corruption.js'
import { VERSION } from '../util/version.js'
import type { Call, Conversation, Reply } from './conversation.js'
import type { McpHost } from './host.js'
import { errorResponse, isResponse, type JsonRpcResponse, RpcCode } from './messages.js'

/**
 * Connects an SDK `Client` in this process to a host, and returns the client after its `initialize`. The
 * connection has no socket. The host treats the client like any other caller.
 *
 * @param session the name of the conversation, used like an HTTP session id
 * @param headers the headers that the caller would send over HTTP
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
    cut: () => void far.close(),
  }
  const reply: Reply = {
    answer: (response, sending) => {
      const bytes = Buffer.byteLength(JSON.stringify(response))
      sending?.(bytes)
      if (isResponse(response)) void far.send(response)
      return bytes
    },
    notify: message => void far.send(message),
    abandon: () => undefined,
    corrupted: how => corrupted(reply, how, () => void far.close()),
  }
  far.onmessage = message => {
    host.receive({
      message,
      raw: JSON.stringify(message),
      caller,
      headers,
      conversation,
      reply,
    })
  }
  far.onclose = () => host.leave(conversation, 'the caller closed the connection')
  host.join(conversation)
  await far.start()
  const client = new Client({ name: 'understudy-client', version: VERSION })
  await client.connect(near)
  return client
}

/**
 * Returns a reply that corrupts its answer. In memory, messages are objects and not bytes. If a client could
 * not parse the corrupted answer, it receives a parse error instead.
 */
function corrupted(reply: Reply, how: Corruption, cut: () => void): Reply {
  const { kind } = how
  // The host has already replaced the answer by an error that states the HTTP status.
  if (kind === 'status') return reply
  if (kind === 'raw') {
    if (how.settled) return reply
    const message = parsedResponse(how.body)
    if (message === undefined) return corrupted(reply, { kind: 'json' }, cut)
    return { ...reply, answer: (_, sending) => reply.answer(message, sending) }
  }
  return {
    ...reply,
    answer(response, sending) {
      sending?.(0)
      if (kind === 'drop' || kind === 'truncated') cut()
      else if (isResponse(response) && response.id !== undefined) {
        const why = `Parse error: the answer was corrupted in transit (${kind})`
        return reply.answer(errorResponse(response.id, RpcCode.parseError, why))
      }
      return 0
    },
  }
}

/** Parses a JSON-RPC response. Returns undefined if the text is not a response. */
function parsedResponse(text: string): JsonRpcResponse | undefined {
  try {
    const message: unknown = JSON.parse(text)
    return isResponse(message) ? message : undefined
  } catch {
    return undefined
  }
}
