import type { ServerResponse } from 'node:http'
import type { JSONRPCErrorResponse, RequestId } from '@modelcontextprotocol/sdk/types.js'
import { HttpRejection, rejectionBody } from '../../../shared/mcp/http/rejection.js'
import { errorResponse, isResponse } from '../../../shared/mcp/messages.js'
import { endOfSubscription } from '../../../shared/mcp/modern/subscriptions.js'
import { isObject } from '../../../shared/util/objects.js'
import type { JudgedCall } from '../enforcement.js'
import { failureCode } from '../era.js'
import type { Grant } from '../grants.js'
import { formatJson, withoutHidden } from '../messages.js'
import type { Sent, UpstreamAnswer } from './http-upstream.js'
import { readAnswer } from './read-response.js'
import { relayEvents } from './relay-events.js'
import { excerpt, isEventStream, messageEvent, passedHeaders, STREAM, sendJson } from './send-response.js'

/** A forwarded request that the upstream has to answer. */
export interface ForwardedRequest {
  /** The tool call in the request. Undefined for any other request. */
  readonly call: JudgedCall | undefined
  /** True for a subscription. Its stream stays open. */
  readonly listens: boolean
  /** True when the caller has cancelled the request. */
  cancelled: boolean
  /** Must be called when the request ends, for whatever reason. */
  over(): void
}

export interface ProxiedPostOptions {
  response: ServerResponse
  grant: Grant
  batch: boolean
  modern: boolean
  /** The position of each request id in the batch. */
  order: ReadonlyMap<RequestId, number>
  waiting: Map<RequestId, ForwardedRequest>
  /** The forwarded calls that are notifications. The upstream does not answer them. */
  silent: readonly JudgedCall[]
  /** Answers from the gateway itself, to messages that were not forwarded. */
  own: readonly object[]
  /** Called when the upstream answers, with the HTTP status and the session id of its answer. */
  answered(status: number, session: string | undefined): void
}

/** Sends the caller the answer of the upstream to one POST, and settles the calls of that POST. */
export class ProxiedPost {
  readonly #options: ProxiedPostOptions
  #sent: Sent | undefined
  #status: number | null = null

  constructor(options: ProxiedPostOptions) {
    this.#options = options
    const { response } = options
    response.on('close', () => {
      if (!response.writableFinished) this.#onDisconnect()
    })
  }

  /** Stores the request to the upstream. It is aborted if the caller disconnects. */
  sent(sent: Sent): void {
    this.#sent = sent
  }

  answer(answer: UpstreamAnswer): void {
    const { status, headers, body } = answer
    this.#status = status
    this.#options.answered(status, headers['mcp-session-id']?.toString())
    this.#storeEntry(headers['x-understudy-entry']?.toString())
    for (const call of this.#options.silent) call.end('unanswered', status)
    if (status < 300 && isEventStream(answer)) {
      this.#passStream(answer)
      return
    }
    readAnswer(body, read => {
      if (this.#options.response.destroyed || this.#options.response.writableEnded) return
      if (!read.ok) this.fail(502, `the upstream ${read.why}`)
      else if (status === 401 || status === 407) {
        this.fail(502, `the upstream did not accept this gateway's credential (HTTP ${status})`)
      } else if (status >= 300) this.#passError(answer, read.text)
      else this.#passJson(answer, read.text)
    })
  }

  /**
   * Ends open subscriptions with a result, and answers all other requests with an error. Used when the
   * gateway shuts down.
   */
  close(): void {
    const { response, waiting, modern } = this.#options
    if (modern && response.headersSent && !response.writableEnded) {
      for (const [id, { listens }] of waiting) {
        if (!listens) continue
        response.write(
          messageEvent({ jsonrpc: '2.0', id, result: { resultType: 'complete', ...endOfSubscription(id) } }),
        )
        waiting.delete(id)
      }
    }
    this.fail(503, 'the gateway is shutting down')
  }

  /** Answers each unanswered request with an error of the gateway. */
  fail(status: number, why: string): void {
    const { response, batch, own, modern } = this.#options
    if (response.writableEnded) return
    for (const call of this.#options.silent) call.end('lost', this.#status)
    const errors = this.#failAll(why)
    if (response.headersSent) {
      for (const error of errors) response.write(messageEvent(error))
      response.end()
      return
    }
    const all = this.#inOrder([...own, ...errors])
    const rejection = new HttpRejection(status, failureCode(modern), why)
    const [only = rejectionBody(rejection, undefined, modern)] = all
    sendJson(
      response,
      own.length > 0 ? 200 : status,
      {},
      JSON.stringify(batch && all.length > 0 ? all : only),
    )
  }

  #onDisconnect(): void {
    this.#sent?.abort()
    for (const { call } of this.#options.waiting.values()) call?.end('cancelled', this.#status)
    this.#endAll()
  }

  /**
   * Passes an HTTP error of the upstream on. A JSON-RPC error is passed on unchanged if it is the only answer
   * to the POST. In all other cases, the caller gets an error of the gateway.
   */
  #passError({ status, headers }: UpstreamAnswer, text: string): void {
    const { response, waiting, own } = this.#options
    const message = parseJson(text)
    if (own.length > 0 || !isObject(message) || !isObject(message.error)) {
      // A redirect becomes 502, because the caller must not learn its target.
      this.fail(status < 400 ? 502 : status, `the upstream answered HTTP ${status}${excerpt(text)}`)
      return
    }
    if (isResponse(message)) this.#settle(message)
    // The upstream gives only this one answer to the POST, so the other requests stay unanswered.
    for (const { call } of waiting.values()) call?.end('lost', status)
    this.#endAll()
    sendJson(response, status, passedHeaders(headers), text)
  }

  #passJson({ status, headers, body: _ }: UpstreamAnswer, text: string): void {
    const { response, waiting, own, batch, grant } = this.#options
    if (text === '' && [...waiting.values()].every(({ cancelled }) => cancelled)) {
      for (const { call } of waiting.values()) call?.end('cancelled', status)
      this.#endAll()
      if (own.length === 0) response.writeHead(status, passedHeaders(headers)).end()
      else sendJson(response, 200, passedHeaders(headers), JSON.stringify(own))
      return
    }
    const message = parseJson(text)
    const answers: unknown[] = Array.isArray(message) ? message : [message]
    const shown = answers.map(answer => {
      if (isResponse(answer)) this.#settle(answer)
      return withoutHidden(answer, grant.engine)
    })
    if (waiting.size > 0) {
      // The error does not quote the body, because the body could be a list that names hidden tools.
      const what = text === '' ? 'with an empty body' : 'with a body that is not an answer to the request'
      const errors = this.#failAll(`the upstream answered ${what}`)
      const rest = shown.filter(isResponse)
      const all = this.#inOrder([...own, ...rest, ...errors])
      sendJson(response, batch ? 200 : 502, {}, JSON.stringify(batch ? all : errors[0]))
      return
    }
    const same = own.length === 0 && shown.every((answer, at) => answer === answers[at])
    const changed = batch ? this.#inOrder([...own, ...shown.filter(isObject)]) : shown[0]
    const sent = same ? text : formatJson(changed)
    if (sent === undefined)
      this.fail(502, 'the upstream answered with a body that is nested too deeply to be filtered')
    else sendJson(response, status, passedHeaders(headers), sent)
  }

  #passStream({ headers, body }: UpstreamAnswer): void {
    const { response, own, grant, waiting } = this.#options
    response.writeHead(200, { ...passedHeaders(headers), ...STREAM })
    response.flushHeaders()
    for (const answer of own) response.write(messageEvent(answer))
    relayEvents(body, response, {
      message: message => {
        if (Array.isArray(message)) return message.map(one => this.#passMessage(one, grant))
        return this.#passMessage(message, grant)
      },
      ended: (why, resumable) => {
        if (response.destroyed) return
        if (waiting.size > 0 && resumable) {
          for (const { call } of waiting.values()) call?.end('unanswered', this.#status)
          this.#endAll()
          if (why === undefined) response.end()
          else response.destroy()
        } else if (waiting.size > 0) this.fail(502, `the upstream ${why ?? 'ended its answer too soon'}`)
        else response.end()
      },
    })
  }

  #passMessage(message: unknown, grant: Grant): unknown {
    if (isResponse(message)) this.#settle(message)
    return withoutHidden(message, grant.engine)
  }

  /**
   * Stores the `seq` of the entry for this POST in the journal of the upstream. A list of several numbers is
   * ignored, because it does not show which call has which entry.
   */
  #storeEntry(entry: string | undefined): void {
    if (entry === undefined || !/^\d{1,15}$/.test(entry)) return
    const { waiting, silent } = this.#options
    for (const call of [...[...waiting.values()].map(({ call }) => call), ...silent])
      call?.storeEntry(Number(entry))
  }

  #settle(answer: { id?: RequestId | undefined }): void {
    const { waiting } = this.#options
    if (answer.id === undefined) return
    const found = waiting.get(answer.id)
    if (found === undefined) return
    waiting.delete(answer.id)
    found.over()
    found.call?.answered({ ...answer }, this.#status)
  }

  /** Ends all unanswered requests. Returns an error for each of them. */
  #failAll(why: string): JSONRPCErrorResponse[] {
    const errors: JSONRPCErrorResponse[] = []
    for (const [id, { call, cancelled }] of this.#options.waiting) {
      call?.end(cancelled ? 'cancelled' : 'lost', this.#status)
      errors.push(errorResponse(id, failureCode(this.#options.modern), why))
    }
    this.#endAll()
    return errors
  }

  #endAll(): void {
    for (const { over } of this.#options.waiting.values()) over()
    this.#options.waiting.clear()
  }

  /** Sorts answers in the order of their requests in the batch. */
  #inOrder(answers: object[]): object[] {
    const { order } = this.#options
    const place = (answer: object) => {
      const id = 'id' in answer ? answer.id : undefined
      return (typeof id === 'string' || typeof id === 'number' ? order.get(id) : undefined) ?? order.size
    }
    return answers.sort((a, b) => place(a) - place(b))
  }
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}
