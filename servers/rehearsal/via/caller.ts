import type { IncomingHttpHeaders } from 'node:http'
import type { Clock, Wakeup } from '../../../shared/clock/clock.js'
import { Refusal } from '../../../shared/errors.js'
import { ALL_REVISIONS, MetaKey } from '../../../shared/mcp/revisions.js'
import type { ServerName } from '../../../shared/util/known-tools.js'
import { defined, isObject } from '../../../shared/util/objects.js'
import { cut } from '../../../shared/util/shown.js'
import { VERSION } from '../../../shared/util/version.js'

/** The revision that callers speak by default. It is the last revision with batches. */
export const REVISION = '2025-03-26'

const CLIENT = { name: 'understudy-rehearsal', version: VERSION }

/**
 * Maximum time to wait for an answer while the upstream is not busy, in milliseconds. Calls of a rehearsal
 * take far less time.
 */
export const ANSWER_TIMEOUT_MS = 10_000

/** Maximum time to wait for an answer while the upstream is busy, in milliseconds. */
const MAX_BUSY_MS = 120_000

/** The answer to a request, as its caller saw it. */
export type Answer =
  | {
      readonly kind: 'response'
      readonly message: Record<string, unknown>
      /** The status of the HTTP response. Undefined on pipes. */
      readonly status?: number
      readonly headers?: IncomingHttpHeaders
      /** The notifications and requests of the server that arrived with the answer. */
      readonly others: readonly unknown[]
    }
  /** An HTTP response that contains no JSON-RPC answer. */
  | {
      readonly kind: 'http'
      readonly status: number
      readonly headers: IncomingHttpHeaders
      readonly text: string
    }
  | { readonly kind: 'nothing'; readonly why: string }

/** A request that was sent, with the promise of its answer. */
export interface Asked {
  readonly id: string | number
  readonly answer: Promise<Answer>
}

/** A JSON-RPC request or notification without its id. */
export interface Message {
  readonly method: string
  readonly params?: unknown
}

/**
 * Returns whether a revision is modern: 2026-07-28 or later. Modern revisions have neither `initialize` nor
 * sessions.
 */
export function isModernRevision(protocol: string): boolean {
  return ALL_REVISIONS.modern.includes(protocol)
}

/**
 * Returns a JSON-RPC message for a protocol revision. In the modern era, each message names its revision and
 * its client.
 *
 * @param id the id of the request. Undefined for a notification
 */
export function formatMessage(
  { method, params }: Message,
  protocol: string,
  id?: string | number,
): Record<string, unknown> {
  const own = isObject(params) ? params : {}
  const meta = isObject(own._meta) ? own._meta : {}
  const modern = { ...own, _meta: { ...META, [MetaKey.version]: protocol, ...meta } }
  return {
    jsonrpc: '2.0',
    ...defined({ id }),
    method,
    ...defined({ params: isModernRevision(protocol) ? modern : params }),
  }
}

const META = { [MetaKey.capabilities]: {}, [MetaKey.client]: CLIENT }

/**
 * Sends requests through a gateway. Returns the answers unchecked, because an MCP client would reject some
 * answers that the judge has to see.
 */
export interface Caller {
  /**
   * Sends a request. Several requests may be under way at the same time.
   *
   * @param id the JSON-RPC id of the request. Default: the number after the last id
   */
  ask(method: string, params?: unknown, id?: string | number): Asked
  /** Sends several requests in one batch. Returns an answer for each request, in the same order. */
  askAll(requests: readonly Message[]): Asked[]
  /**
   * Sends a notification. Over HTTP, resolves with the response. On pipes, resolves with an answer of kind
   * `nothing`.
   */
  notify(method: string, params?: unknown): Promise<Answer>
  /**
   * Returns the same caller without a session. Undefined on pipes, where all requests belong to one session.
   */
  withoutSession?(): Caller
  close(): Promise<void>
}

/** The callers of a gateway. Opens each caller when it is first requested. */
export class Callers {
  readonly #open: (server: ServerName, as: string) => Promise<Caller>
  readonly #callers = new Map<string, Promise<Caller>>()
  readonly #further: Promise<Caller>[] = []

  constructor(open: (server: ServerName, as: string) => Promise<Caller>) {
    this.#open = open
  }

  get(server: ServerName, as: string): Promise<Caller> {
    const caller = this.#callers.get(`${server} ${as}`) ?? this.#open(server, as)
    this.#callers.set(`${server} ${as}`, caller)
    return caller
  }

  /** Opens a further session for a caller. */
  another(server: ServerName, as: string): Promise<Caller> {
    const caller = this.#open(server, as)
    this.#further.push(caller)
    return caller
  }

  async close(): Promise<void> {
    const all = [...this.#callers.values(), ...this.#further]
    await Promise.all(
      (await Promise.allSettled(all)).map(caller =>
        caller.status === 'fulfilled' ? caller.value.close() : undefined,
      ),
    )
  }
}

/**
 * Sends the first request of a caller: `initialize`, or `server/discover` in the modern era.
 *
 * @param gateway the name of the gateway, for the error
 * @param protocol the revision that the caller speaks
 * @throws Refusal `gateway_refused` if the answer is not a result
 */
export async function greet(caller: Caller, gateway: string, protocol: string): Promise<void> {
  const modern = isModernRevision(protocol)
  const method = modern ? 'server/discover' : 'initialize'
  const params = { protocolVersion: protocol, capabilities: {}, clientInfo: CLIENT }
  const answer = await caller.ask(method, modern ? {} : params).answer
  if (answer.kind === 'response' && isObject(answer.message.result)) {
    if (!modern) await caller.notify('notifications/initialized')
    return
  }
  const name = JSON.stringify(gateway)
  if (answer.kind === 'nothing') {
    throw new Refusal(
      'gateway_refused',
      `the gateway ${name} did not answer ${method}: ${answer.why}`,
      CHECK_URL,
    )
  }
  if (answer.kind === 'http') {
    const { status, headers, text } = answer
    const type = headers['content-type']?.split(';', 1)[0] ?? 'no content type'
    const said = text.trim() === '' ? '' : `: ${cut(text.trim().replace(/\s+/g, ' '))}`
    const what = `HTTP ${status} and ${type}, which is no JSON-RPC answer${said}`
    const hint = status === 401 || status === 403 ? 'give a token that it knows with --bearer' : CHECK_URL
    throw new Refusal('gateway_refused', `the gateway ${name} answered ${method} with ${what}`, hint)
  }
  const { error } = answer.message
  const said = isObject(error) ? `error ${String(error.code)}: ${cut(String(error.message))}` : 'no result'
  throw new Refusal(
    'gateway_refused',
    `the gateway ${name} refused ${method} with ${said}`,
    `it has to speak MCP ${protocol}, and its upstream has to be the one that this rehearsal starts`,
  )
}

const CHECK_URL = 'check that it runs, its URL and its path: MCP is often at /mcp'

/**
 * Returns a signal that aborts after `ms` milliseconds of machine time, and a function that cancels the
 * timer.
 *
 * @param busy returns whether the upstream is busy. While it is busy, the timer starts again, for at most
 *   {@link MAX_BUSY_MS} in total
 */
export function deadline(
  machine: Clock,
  ms = ANSWER_TIMEOUT_MS,
  busy = () => false,
): { signal: AbortSignal; cancel(): void } {
  const controller = new AbortController()
  const until = machine.now() + MAX_BUSY_MS
  const arm = (): Wakeup =>
    machine.wakeAt(machine.now() + ms, () => {
      if (busy() && machine.now() < until) wakeup = arm()
      else controller.abort()
    })
  let wakeup = arm()
  return { signal: controller.signal, cancel: () => wakeup.cancel() }
}

/** Returns the JSON-RPC messages in an HTTP body or a line of output. Empty if the text is not JSON. */
export function messagesOf(text: string): unknown[] {
  try {
    const body: unknown = JSON.parse(text)
    return Array.isArray(body) ? body : [body]
  } catch {
    return []
  }
}

/** Returns whether a message is a JSON-RPC answer: a result or an error. */
export function isAnswer(message: unknown): message is Record<string, unknown> {
  return isObject(message) && !('method' in message) && ('result' in message || 'error' in message)
}
