import type { JSONRPCErrorResponse, JSONRPCRequest, RequestId } from '@modelcontextprotocol/sdk/types.js'
import type { JournalEntry } from '../../journal/entry.js'
import { defined, isObject } from '../../util/objects.js'
import { shown } from '../../util/shown.js'
import type { Call } from '../conversation.js'
import type { Incoming } from '../message-host.js'
import {
  errorResponse,
  isNotification,
  isRequest,
  isRequestLike,
  isResponse,
  type JsonRpcResponse,
  modernError,
  NOT_CACHED,
  RpcCode,
  requestIdOf,
} from '../messages.js'
import { type Mismatch, mismatches, versionMismatch } from '../mirrored-headers.js'
import type { Arrived, Examined, HostCore, ProtocolLayer, RequestHandler } from '../protocol-layer.js'
import { metaOf, notedRevision, readClient, versionFault } from '../request-meta.js'
import { MetaKey, type Revisions } from '../revisions.js'
import { requestFault } from './request-fault.js'
import { Subscriptions } from './subscriptions.js'

/** The description that a server gives of itself, and the handlers of its modern requests. */
export interface ServerOffer<Caller> {
  serverInfo: { name: string; version: string }
  capabilities: Readonly<Record<string, unknown>>
  instructions?: string
  /**
   * Handlers for modern requests, by method. The SDK's server answers legacy requests of the same methods.
   */
  handlers?: ReadonlyMap<string, RequestHandler<Caller>>
  /**
   * Returns the input schema of a tool as the caller's tool list shows it. The schema says which arguments
   * are repeated in a header. Default: no arguments are.
   */
  inputSchema?(caller: Caller, tool: string): unknown
}

export interface ModernOptions<Caller> {
  core: HostCore<Caller>
  revisions: Revisions
}

/** Methods whose results state a cache duration and scope. */
const CACHEABLE = new Set([
  'server/discover',
  'tools/list',
  'prompts/list',
  'resources/list',
  'resources/templates/list',
  'resources/read',
])

const NO_NAMES: readonly string[] = []

/**
 * The layer for revision 2026-07-28, which has no handshake and no sessions. Each request states its version,
 * and HTTP headers repeat parts of the body.
 */
export class ModernProtocol<Caller> implements ProtocolLayer<Caller> {
  readonly #core: HostCore<Caller>
  readonly #revisions: Revisions
  readonly #own: ReadonlyMap<string, RequestHandler<Caller>>
  #offer: ServerOffer<Caller> = { serverInfo: { name: '', version: '' }, capabilities: {} }
  #subscriptions = new Subscriptions<Caller>({})

  constructor({ core, revisions }: ModernOptions<Caller>) {
    this.#core = core
    this.#revisions = revisions
    this.#own = new Map<string, RequestHandler<Caller>>([
      ['server/discover', async () => this.#discovery()],
      ['subscriptions/listen', (call, params) => this.#subscriptions.listen(call, params)],
    ])
  }

  offer(offer: ServerOffer<Caller>): void {
    this.#offer = offer
    this.#subscriptions = new Subscriptions(offer.capabilities)
  }

  examine(arrived: Arrived<Caller>): Examined {
    const { message, headers } = arrived
    const meta = metaOf(message)
    const version = meta?.[MetaKey.version] ?? headers['mcp-protocol-version']
    const mismatched = this.#mismatches(arrived)
    return {
      protocol: notedRevision(version),
      client: readClient(meta?.[MetaKey.client]) ?? null,
      mismatch: mismatched.length === 0 ? NO_NAMES : mismatched.map(({ header }) => header),
      refusal: this.#refusalOf(message, meta, mismatched),
    }
  }

  receive(incoming: Incoming<Caller>, entry: JournalEntry, { refusal }: Examined): void {
    const { message, conversation, reply } = incoming
    if (refusal === undefined && isRequest(message)) {
      conversation.modern = true
      const capabilities = metaOf(message)?.[MetaKey.capabilities]
      this.#core.start(message, incoming, entry, { capabilities: isObject(capabilities) ? capabilities : {} })
    } else if (isNotification(message)) {
      this.#core.accept(entry)
      if (message.method === 'notifications/cancelled') {
        this.#core.cancelByNotice(message.params, conversation)
      }
    } else if (isResponse(message) && conversation.transport !== 'http') {
      // On a pipe, a response is accepted without an answer, although no modern client has a reason to send
      // one.
      this.#core.accept(entry)
    } else {
      reply.malformed?.()
      this.#core.refuse(incoming, entry, refusal ?? modernError(undefined, NOT_A_REQUEST))
    }
  }

  run(call: Call<Caller>, { method, params }: JSONRPCRequest): void {
    const handler = this.#handlerOf(method)
    if (handler !== undefined) this.#core.run(handler, call, params)
  }

  formatAnswer({ method, modern }: Call<Caller>, response: JsonRpcResponse): JsonRpcResponse {
    if ('error' in response) return response
    const { result } = response
    if (result.resultType === 'input_required') {
      const refusal = inputRefusal(method, result, modern?.capabilities ?? {})
      if (refusal !== undefined) return modernError(response.id, refusal)
    }
    const server = { [MetaKey.server]: this.#offer.serverInfo }
    const _meta = result._meta === undefined ? server : { ...result._meta, ...server }
    const cached = CACHEABLE.has(method) ? NOT_CACHED : undefined
    return {
      jsonrpc: '2.0',
      id: response.id,
      result: { resultType: 'complete', ...cached, ...result, _meta },
    }
  }

  unknownTool({ callerId }: Call<Caller>, text: string): JsonRpcResponse {
    return errorResponse(callerId, RpcCode.invalidParams, text)
  }

  answered(): void {}

  cancelled(): void {}

  ended(call: Call<Caller>): void {
    this.#subscriptions.ended(call)
  }

  announceTools(): void {
    this.#subscriptions.announce('tools')
  }

  async close(): Promise<void> {
    this.endSubscriptions()
  }

  endSubscriptions(): void {
    this.#subscriptions.close(call => this.#core.dismiss(call))
  }

  #discovery() {
    const { capabilities, instructions } = this.#offer
    return { supportedVersions: [...this.#revisions.served], capabilities, ...defined({ instructions }) }
  }

  /** Returns the headers that are missing or differ from the body. Only HTTP requests have such headers. */
  #mismatches({ message, headers, conversation, caller }: Arrived<Caller>): Mismatch[] {
    if ((conversation !== undefined && conversation.transport !== 'http') || !isRequestLike(message))
      return []
    const ofVersion = versionMismatch(message, headers)
    const { method, params } = message
    const tool = method === 'tools/call' && isObject(params) ? params.name : undefined
    const schema =
      caller !== undefined && typeof tool === 'string' ? this.#offer.inputSchema?.(caller, tool) : undefined
    const others = mismatches(message, headers, schema)
    return ofVersion === undefined ? others : [ofVersion, ...others]
  }

  /**
   * Returns the error for the first rule that a message breaks. Returns undefined for a request that can be
   * run.
   */
  #refusalOf(
    message: unknown,
    meta: Record<string, unknown> | undefined,
    mismatched: readonly Mismatch[],
  ): JSONRPCErrorResponse | undefined {
    const id = requestIdOf(message)
    if (!isRequestLike(message)) return modernError(id, NOT_A_REQUEST)
    const { method, params } = message
    if (method === 'initialize' && isObject(params) && versionFault(params) !== undefined) {
      return this.#unsupported(id, params.protocolVersion)
    }
    const fault = requestFault(message, mismatched, this.#revisions.modern)
    if (fault === 'unsupported') return this.#unsupported(id, meta?.[MetaKey.version])
    if (fault !== undefined) return modernError(id, fault)
    if (this.#handlerOf(method) !== undefined) return undefined
    return modernError(id, { code: RpcCode.methodNotFound, message: `Method not found: ${method}` })
  }

  #handlerOf(method: string): RequestHandler<Caller> | undefined {
    return this.#own.get(method) ?? this.#offer.handlers?.get(method) ?? this.#core.handlers.get(method)
  }

  #unsupported(id: RequestId | undefined, requested: unknown): JSONRPCErrorResponse {
    const supported = [...this.#revisions.served]
    return modernError(id, {
      code: RpcCode.unsupportedVersion,
      message: `Unsupported protocol version ${shown(requested)}: this server speaks ${supported.join(', ')}`,
      data: { supported, requested },
    })
  }
}

const NOT_A_REQUEST = {
  code: RpcCode.invalidRequest,
  message: 'invalid request: not a JSON-RPC 2.0 request or notification',
}

/** Methods that a server may answer with `input_required`, which asks the client for input. */
const ASKING_METHODS = new Set(['tools/call', 'prompts/get', 'resources/read'])

/**
 * The capability that a client must declare before the server may send it a request. The key is the method of
 * that request.
 */
const NEEDED_CAPABILITY = new Map([
  ['elicitation/create', 'elicitation'],
  ['sampling/createMessage', 'sampling'],
  ['roots/list', 'roots'],
])

/**
 * Checks a result that asks the client for input. Returns the error to send instead of the result, or
 * undefined if the result can be sent.
 *
 * @param capabilities the capabilities that the client has declared in the request
 */
export function inputRefusal(
  method: string,
  { inputRequests, requestState }: Record<string, unknown>,
  capabilities: Readonly<Record<string, unknown>>,
): JSONRPCErrorResponse['error'] | undefined {
  if (!ASKING_METHODS.has(method) || (inputRequests === undefined && requestState === undefined)) {
    return { code: RpcCode.internalError, message: `${method} failed: internal error` }
  }
  const asked = isObject(inputRequests) ? Object.values(inputRequests) : []
  const needed = asked.flatMap(request =>
    isObject(request) && typeof request.method === 'string'
      ? (NEEDED_CAPABILITY.get(request.method) ?? [])
      : [],
  )
  const missing = [...new Set(needed)].filter(capability => capabilities[capability] === undefined)
  if (missing.length === 0) return undefined
  return {
    code: RpcCode.missingCapability,
    message: `the request needs a client that declares ${missing.join(', ')}`,
    data: { requiredCapabilities: Object.fromEntries(missing.map(capability => [capability, {}])) },
  }
}
