import type { ServerResponse } from 'node:http'
import type { RequestId } from '@modelcontextprotocol/sdk/types.js'
import { invalidRequest } from '../../../shared/mcp/http/rejection.js'
import {
  anonymousError,
  isNotification,
  isRequest,
  isRequestId,
  RpcCode,
} from '../../../shared/mcp/messages.js'
import { isObject } from '../../../shared/util/objects.js'
import type { Enforcement, JudgedCall, Settled, Verdict } from '../enforcement.js'
import type { Grant } from '../grants.js'
import { callOf, messageProblem } from '../messages.js'
import type { ForwardedRequest } from './forward-post.js'

export interface JudgedPostOptions {
  enforcement: Enforcement
  open: OpenCalls
  grant: Grant
  session: string | null
  response: ServerResponse
  batch: boolean
  modern: boolean
  /** The protocol revision that the request names. */
  protocol: string | null
}

/** Judges the messages of one POST and sorts them: some are forwarded, and the gateway answers the others. */
export class JudgedPost {
  /** Messages to forward to the upstream. */
  readonly forwarded: unknown[] = []
  /** Answers from the gateway itself, to messages that are not forwarded. */
  readonly own: object[] = []
  /** The forwarded requests by request id. The upstream has to answer them. */
  readonly waiting = new Map<RequestId, ForwardedRequest>()
  /** The forwarded calls that are notifications. The upstream does not answer them. */
  readonly silent: JudgedCall[] = []
  /** The position of each request id in the batch. */
  order: ReadonlyMap<RequestId, number> = new Map()
  readonly #options: JudgedPostOptions

  constructor(options: JudgedPostOptions) {
    this.#options = options
  }

  /**
   * Judges the messages one after another. A call that waits for its approval delays the messages after it.
   *
   * @throws HttpRejection 400 for an invalid message outside of a batch, and for two requests with the same
   *   id
   */
  async judgeAll(messages: unknown[]): Promise<void> {
    this.order = orderOf(messages)
    for (const message of messages) {
      const wrong = messageProblem(message)
      const why = `invalid request: ${wrong}`
      if (wrong !== undefined && !this.#options.batch) throw invalidRequest(why)
      if (wrong !== undefined) this.own.push(anonymousError(RpcCode.invalidRequest, why))
      else {
        const held = this.#judge(message)
        if (held !== undefined) await held
      }
    }
  }

  /** Ends all calls as cancelled. Used when the caller disconnects before the messages are forwarded. */
  drop(): void {
    for (const { call, over } of this.waiting.values()) {
      call?.end('cancelled', null)
      over()
    }
    for (const call of this.silent) call.end('cancelled', null)
  }

  /**
   * Judges one message.
   *
   * @returns a promise if the message is a call that waits for its approval, otherwise undefined
   */
  #judge(message: unknown): Promise<void> | undefined {
    const { enforcement, grant, session, batch, modern, protocol } = this.#options
    if (!isRequest(message) && !isNotification(message)) {
      this.forwarded.push(message)
      return undefined
    }
    if (message.method === 'notifications/cancelled') this.#cancelled(message.params)
    const call = callOf(message)
    const requestId = isRequest(message) ? message.id : null
    if (call === undefined) {
      this.#forward(message, undefined)
      return undefined
    }
    const canWait = !batch && requestId !== null
    const verdict = enforcement.judge(call, { grant, session, requestId, canWait, modern, protocol })
    if (verdict.kind !== 'hold') {
      this.#carryOut(verdict, message)
      return undefined
    }
    return this.#waitForApproval(verdict, message)
  }

  async #waitForApproval(verdict: Extract<Verdict, { kind: 'hold' }>, message: unknown): Promise<void> {
    const { response, session, open } = this.#options
    response.on('close', verdict.withdraw)
    const done = isRequest(message) ? open.add(session, message.id, verdict.withdraw) : () => undefined
    const settled = await verdict.decided
    done()
    response.off('close', verdict.withdraw)
    this.#carryOut(settled, message)
  }

  #carryOut(verdict: Settled, message: unknown): void {
    if (verdict.kind === 'pass') this.#forward(message, verdict.call)
    // A notification that is denied gets no answer.
    else if (isRequest(message)) this.own.push({ jsonrpc: '2.0', id: message.id, ...verdict.answer })
  }

  #forward(message: unknown, call: JudgedCall | undefined): void {
    const { session, open } = this.#options
    this.forwarded.push(message)
    if (!isRequest(message)) {
      if (call !== undefined) this.silent.push(call)
      return
    }
    const listens = message.method === 'subscriptions/listen'
    const waiting: ForwardedRequest = { call, listens, cancelled: false, over: () => undefined }
    waiting.over = open.add(session, message.id, () => {
      waiting.cancelled = true
    })
    this.waiting.set(message.id, waiting)
  }

  #cancelled(params: unknown): void {
    const { session, open } = this.#options
    if (isObject(params) && isRequestId(params.requestId)) open.cancel(session, params.requestId)
  }
}

/**
 * Returns the position of each request in the batch, by request id.
 *
 * @throws HttpRejection 400 for two requests with the same id. It would be unclear which of them an answer is
 *   for
 */
function orderOf(messages: unknown[]): Map<RequestId, number> {
  const order = new Map<RequestId, number>()
  for (const [at, message] of messages.entries()) {
    if (!isRequest(message)) continue
    if (order.has(message.id)) {
      throw invalidRequest(`two requests of the batch have the id ${JSON.stringify(message.id)}`)
    }
    order.set(message.id, at)
  }
  return order
}

/** Called when the caller cancels a request. */
type OnCancel = () => void

/**
 * Stores the unanswered requests of all sessions. A cancellation arrives in a separate POST, and finds the
 * request here.
 */
export class OpenCalls {
  readonly #open = new Map<string, OnCancel>()

  /**
   * Stores a request. A request without a session is not stored, because the gateway could not check that a
   * cancellation comes from the same caller.
   *
   * @returns a function that removes the request. It must be called when the request ends
   */
  add(session: string | null, id: RequestId, onCancel: OnCancel): () => void {
    if (session === null) return () => undefined
    const key = keyOf(session, id)
    this.#open.set(key, onCancel)
    return () => {
      if (this.#open.get(key) === onCancel) this.#open.delete(key)
    }
  }

  cancel(session: string | null, id: RequestId): void {
    if (session !== null) this.#open.get(keyOf(session, id))?.()
  }
}

function keyOf(session: string, id: RequestId): string {
  return `${session} ${typeof id === 'string' ? 's' : 'n'}${id}`
}
