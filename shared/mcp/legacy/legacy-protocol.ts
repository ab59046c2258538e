import type { IncomingHttpHeaders } from 'node:http'
import type { Server } from '@modelcontextprotocol/sdk/server/index.js'
import type { TransportSendOptions } from '@modelcontextprotocol/sdk/shared/transport.js'
import type { JSONRPCMessage, JSONRPCRequest, RequestId } from '@modelcontextprotocol/sdk/types.js'
import { TokenBuckets } from '../../clock/token-buckets.js'
import type { Instance } from '../../instance.js'
import type { JournalEntry } from '../../journal/entry.js'
import { isObject } from '../../util/objects.js'
import type { Call, Conversation } from '../conversation.js'
import { toolError } from '../define-tool.js'
import type { Incoming } from '../message-host.js'
import {
  anonymousError,
  errorResponse,
  isNotification,
  isRequest,
  isResponse,
  type JsonRpcResponse,
  RpcCode,
  requestIdOf,
} from '../messages.js'
import { differingHeaders } from '../mirrored-headers.js'
import type { Arrived, Examined, HostCore, ProtocolLayer } from '../protocol-layer.js'
import { notedRevision, readClient } from '../request-meta.js'
import type { Revisions } from '../revisions.js'
import { SdkLink } from './sdk-link.js'

export interface LegacyOptions<Caller> {
  core: HostCore<Caller>
  revisions: Revisions
  /** The server's name in the log. */
  name: string
  instance: Pick<Instance, 'machine' | 'log'>
  onError(error: Error): void
}

const SECONDS_BETWEEN_WARNINGS = 60

/**
 * The layer for revisions up to 2025-11-25. The SDK's `Server` answers each request that has no handler.
 *
 * Handlers run without the SDK. The SDK parses a message three times and makes an AbortController for each
 * request, which takes longer than most tools.
 */
export class LegacyProtocol<Caller> implements ProtocolLayer<Caller> {
  readonly #options: LegacyOptions<Caller>
  readonly #core: HostCore<Caller>
  readonly #sdk: SdkLink
  readonly #asked = new AskedClients<Caller>()
  readonly #warnings: TokenBuckets

  constructor(options: LegacyOptions<Caller>) {
    this.#options = options
    this.#core = options.core
    this.#sdk = new SdkLink({
      sent: (message, related) => this.#sent(message, related),
      onError: error => options.onError(error),
      onUselessNotification: () => this.#warnOfNotification(),
    })
    this.#warnings = new TokenBuckets({
      clock: options.instance.machine,
      capacity: 1,
      perSecond: 1 / SECONDS_BETWEEN_WARNINGS,
    })
  }

  /** Connects the SDK's server to this layer. */
  mount(server: Server): Promise<void> {
    return this.#sdk.mount(server)
  }

  /**
   * Sends a ping to the SDK's server and resolves when the server has answered. @param id an id that no
   * request has
   */
  ping(id: number): Promise<void> {
    return this.#sdk.ping(id)
  }

  examine({ message, headers, conversation }: Arrived<Caller>): Examined {
    const named = headers['mcp-protocol-version']
    const mismatch = differingHeaders(message, headers)
    if (isInitialize(message)) {
      const { protocolVersion: wanted, clientInfo } = message.params
      return {
        protocol: notedRevision(wanted),
        client: readClient(clientInfo) ?? null,
        mismatch,
      }
    }
    return {
      protocol: conversation?.version ?? (named === undefined ? null : String(named)),
      client: conversation?.client ?? null,
      mismatch,
    }
  }

  receive(incoming: Incoming<Caller>, entry: JournalEntry): void {
    const { message } = incoming
    if (isRequest(message)) this.#core.start(message, incoming, entry)
    else if (isNotification(message)) {
      this.#core.accept(entry)
      if (message.method === 'notifications/cancelled') {
        this.#core.cancelByNotice(message.params, incoming.conversation)
      } else this.#sdk.hand(message)
    } else if (isResponse(message)) {
      this.#core.accept(entry)
      if (this.#asked.take(message.id, incoming.conversation)) this.#sdk.hand(message)
    } else {
      const id = requestIdOf(message)
      const why = 'invalid request: not a JSON-RPC 2.0 request, notification or response'
      this.#core.refuse(
        incoming,
        entry,
        id === undefined
          ? anonymousError(RpcCode.invalidRequest, why)
          : errorResponse(id, RpcCode.invalidRequest, why),
      )
    }
  }

  run(call: Call<Caller>, request: JSONRPCRequest, headers: IncomingHttpHeaders): void {
    const handler = this.#core.handlers.get(request.method)
    if (handler !== undefined) this.#core.run(handler, call, request.params)
    else if (
      !this.#sdk.hand(
        { ...this.#withServedRevision(request, call), id: call.id },
        { requestInfo: { headers } },
      )
    ) {
      const why = `not a valid ${request.method} request`
      this.#core.answer(call, errorResponse(request.id, RpcCode.invalidRequest, why))
    }
  }

  formatAnswer(_call: Call<Caller>, response: JsonRpcResponse): JsonRpcResponse {
    return response
  }

  /** Returns a tool error, as both real services do. The specification asks for a protocol error instead. */
  unknownTool({ callerId: id }: Call<Caller>, text: string): JsonRpcResponse {
    return { jsonrpc: '2.0', id, result: toolError(text) }
  }

  answered({ method, conversation }: Call<Caller>, response: JsonRpcResponse): void {
    if (method === 'initialize' && 'result' in response) {
      conversation.version = String(response.result.protocolVersion)
    }
  }

  cancelled({ id, method }: Call<Caller>, reason: string): void {
    if (this.#core.handlers.has(method)) return
    this.#sdk.hand({ jsonrpc: '2.0', method: 'notifications/cancelled', params: { requestId: id, reason } })
  }

  ended(call: Call<Caller>): void {
    this.#asked.drop(call)
  }

  announceTools(): void {
    this.#core.broadcast({ jsonrpc: '2.0', method: 'notifications/tools/list_changed' })
  }

  close(): Promise<void> {
    return this.#sdk.close()
  }

  /**
   * Returns the request to hand to the SDK. If an `initialize` request asks for a revision that is not
   * served, the newest served revision replaces it. The SDK itself would agree to every revision that it
   * knows.
   */
  #withServedRevision(request: JSONRPCRequest, { conversation }: Call<Caller>): JSONRPCRequest {
    if (!isInitialize(request)) return request
    const { protocolVersion: wanted, clientInfo } = request.params
    const client = readClient(clientInfo)
    if (client !== undefined) conversation.client = client
    const { legacy } = this.#options.revisions
    const [newest] = legacy
    if (newest === undefined || typeof wanted !== 'string' || legacy.includes(wanted)) return request
    return { ...request, params: { ...request.params, protocolVersion: newest } }
  }

  /** Logs at most one warning a minute, because a client can send any number of bad notifications. */
  #warnOfNotification(): void {
    const { name, instance } = this.#options
    if (!this.#warnings.take('notification')) return
    instance.log.warn(
      `${name}: a notification from a client is malformed, or reports progress of an unknown request. ` +
        'It changes nothing and is in the journal. ' +
        `For ${SECONDS_BETWEEN_WARNINGS} s, no more such warnings are logged`,
    )
  }

  /** Passes on a message from the SDK's server. An answer gets the request id that the caller chose. */
  #sent(message: JSONRPCMessage, options: TransportSendOptions | undefined): void {
    if ('method' in message) {
      const related = options?.relatedRequestId
      if (related === undefined) {
        this.#core.broadcast(message)
        return
      }
      const call = this.#core.callById(related)
      if (call === undefined) return
      if ('id' in message) this.#asked.ask(message.id, call)
      call.reply.notify(message)
      return
    }
    const call = message.id === undefined ? undefined : this.#core.callById(message.id)
    if (call !== undefined) this.#core.answer(call, { ...message, id: call.callerId })
  }
}

function isInitialize(message: unknown): message is { params: Record<string, unknown> } {
  return isObject(message) && message.method === 'initialize' && isObject(message.params)
}

/**
 * The open requests to clients. Each request belongs to the call that caused it. Only an answer from the
 * conversation of that call is accepted.
 */
class AskedClients<Caller> {
  readonly #asked = new Map<RequestId, Call<Caller>>()

  /** Adds a request to a client. @throws Error for a caller over HTTP that has no session */
  ask(id: RequestId, call: Call<Caller>): void {
    const { transport, session } = call.conversation
    // The answer would arrive in a separate POST. Without a session, nothing in that POST identifies the
    // caller.
    if (transport === 'http' && session === null) {
      throw new Error('the caller has no session, so it cannot be asked anything: initialize first')
    }
    this.#asked.set(id, call)
  }

  /**
   * Removes the request that has this id. Returns false if the client of the conversation was not sent such a
   * request.
   */
  take(id: RequestId | undefined, conversation: Conversation): boolean {
    if (id === undefined || this.#asked.get(id)?.conversation !== conversation) return false
    return this.#asked.delete(id)
  }

  /** Removes the requests that a call caused, because the call has ended. */
  drop(call: Call<Caller>): void {
    for (const [id, asking] of this.#asked) if (asking === call) this.#asked.delete(id)
  }
}
