import type { IncomingHttpHeaders } from 'node:http'
import type { JSONRPCRequest, RequestId } from '@modelcontextprotocol/sdk/types.js'
import type { Clock } from '../../../shared/clock/clock.js'
import { type JournalEntry, NO_ARRIVAL } from '../../../shared/journal/entry.js'
import { Journal } from '../../../shared/journal/journal.js'
import type { CallerClues, Conversation, Reply } from '../../../shared/mcp/conversation.js'
import type { Incoming, MessageHost } from '../../../shared/mcp/message-host.js'
import {
  type AnonymousError,
  anonymousError,
  errorResponse,
  expectsAnswer,
  isNotification,
  isRequest,
  isRequestId,
  isResponse,
  type JsonRpcResponse,
  modernError,
  RpcCode,
  requestIdOf,
} from '../../../shared/mcp/messages.js'
import type { RequestFault } from '../../../shared/mcp/modern/request-fault.js'
import { cancelledSubscription, endOfSubscription } from '../../../shared/mcp/modern/subscriptions.js'
import { notedRevision } from '../../../shared/mcp/request-meta.js'
import { ALL_REVISIONS } from '../../../shared/mcp/revisions.js'
import { isObject } from '../../../shared/util/objects.js'
import type { Enforcement, JudgedCall, Settled } from '../enforcement.js'
import { failureCode, isModern, postFault, revisionIn } from '../era.js'
import type { Grant } from '../grants.js'
import {
  callOf,
  formatJson,
  messageProblem,
  repeatedKey,
  repeatedKeyMessage,
  withoutHidden,
} from '../messages.js'
import type { Link, Upstream } from './link.js'

export interface RelayHostOptions {
  upstream: Upstream
  enforcement: Enforcement
  clock: Clock
  machine: Clock
  /** Returns the grant of a caller. @throws HttpRejection or Refusal for an unknown caller */
  identify(clues: CallerClues): Grant
  /** Called when a session has been opened. */
  opened(session: string, grant: Grant): void
  /** Called when a session has ended. */
  ended(session: string): void
}

/** A request that has not been answered yet. */
interface Pending {
  readonly id: number
  readonly callerId: RequestId
  readonly method: string
  readonly conversation: Conversation
  readonly reply: Reply
  readonly grant: Grant
  readonly modern: boolean
  /** The tool call in the request. Undefined until the policy has allowed it, and for other requests. */
  call: JudgedCall | undefined
  /** Cancels the request at the upstream, or withdraws the approval for which it waits. */
  withdraw(reason: string): void
}

/**
 * Passes single messages between clients and an upstream. It is used if the client or the upstream is on a
 * pipe. Between HTTP and HTTP, `HttpProxy` passes whole requests.
 */
export class RelayHost implements MessageHost<Grant> {
  /** All revisions of the protocol, because the upstream decides which of them it serves. */
  readonly revisions = ALL_REVISIONS
  readonly #options: RelayHostOptions
  readonly #pending = new Map<number, Pending>()
  readonly #links = new Map<Conversation, Link>()
  /**
   * A journal that records nothing. The transports require a journal, but a gateway records its calls in the
   * audit instead.
   */
  readonly #journal: Journal
  #lastId = 0
  #checkedText = ''

  constructor(options: RelayHostOptions) {
    this.#options = options
    const { clock, machine } = options
    this.#journal = new Journal({ clock, machine, instance: 'gateway', enabled: false })
  }

  identify(clues: CallerClues): Grant {
    return this.#options.identify(clues)
  }

  join(conversation: Conversation): void {
    this.#linkOf(conversation)
  }

  leave(conversation: Conversation, reason: string): void {
    this.cancelAll(conversation, reason)
    this.#links.get(conversation)?.close()
    this.#links.delete(conversation)
    if (conversation.session !== null) this.#options.ended(conversation.session)
  }

  cancelAll(conversation: Conversation, reason: string, reply?: Reply): void {
    for (const { id } of [...conversation.inflight.values()]) {
      const pending = this.#pending.get(id)
      if (pending !== undefined && (reply === undefined || pending.reply === reply))
        this.#cancel(pending, reason)
    }
  }

  note(): JournalEntry {
    return this.#journal.open(NO_ARRIVAL)
  }

  noteEnd(): void {}

  receive(incoming: Incoming<Grant>): void {
    const { message, raw, conversation, reply, headers } = incoming
    const modern = isModern(message, headers)
    // Headers exist only over HTTP.
    const fault = conversation.transport === 'http' ? postFault([message], headers, modern) : undefined
    // A message that cannot be formatted as JSON cannot be passed on.
    const wrong =
      this.#problemOf(message, raw) ??
      (formatJson(message) === undefined ? 'it is nested too deeply' : undefined)
    if (fault !== undefined || wrong !== undefined) {
      if (modern) reply.malformed?.()
      const invalid = { code: RpcCode.invalidRequest, message: `invalid request: ${wrong}` }
      // A notification gets no answer, even if it is invalid.
      if (expectsAnswer(message)) reply.answer(refusalOf(message, fault ?? invalid, modern))
    } else if (isRequest(message)) this.#request(message, incoming, modern)
    else if (isNotification(message)) {
      if (message.method === 'notifications/cancelled') this.#cancelled(message.params, conversation)
      else this.#notification(message, incoming, modern)
    } else if (isResponse(message)) this.#linkOf(conversation).respond(message)
    this.#releaseLink(conversation)
  }

  /** Ends open subscriptions, answers all other open requests with an error, and closes all links. */
  close(why: string): void {
    for (const pending of [...this.#pending.values()]) {
      pending.withdraw(why)
      if (pending.method === 'subscriptions/listen') this.#endSubscription(pending, why)
      else this.#finish(pending, errorResponse(pending.callerId, failureCode(pending.modern), why))
      pending.call?.end('lost', null)
    }
    for (const link of this.#links.values()) link.close()
    this.#links.clear()
  }

  #problemOf(message: unknown, raw: string): string | undefined {
    // `raw` is the text of the whole batch for each of its messages. The same text is checked only once.
    if (raw !== this.#checkedText) {
      const key = repeatedKey(raw, message)
      if (key !== undefined) return repeatedKeyMessage(key)
      this.#checkedText = raw
    }
    return messageProblem(message)
  }

  #request(
    message: JSONRPCRequest,
    { caller: grant, conversation, reply, headers }: Incoming<Grant>,
    modern: boolean,
  ): void {
    if (conversation.inflight.has(message.id)) {
      const why = `invalid request: request id ${JSON.stringify(message.id)} is still in use`
      reply.answer(refusalOf(message, { code: RpcCode.invalidRequest, message: why }, modern))
      return
    }
    if (modern) conversation.modern = true
    const id = ++this.#lastId
    const { id: callerId, method } = message
    const pending: Pending = {
      id,
      callerId,
      method,
      conversation,
      reply,
      grant,
      modern,
      call: undefined,
      withdraw: () => undefined,
    }
    this.#pending.set(id, pending)
    conversation.inflight.set(callerId, pending)
    const call = callOf(message)
    if (call === undefined) {
      this.#forward(message, pending)
      return
    }
    const { session } = conversation
    const protocol = revisionOf(message, conversation, headers)
    const context = { grant, session, requestId: callerId, canWait: true, modern, protocol }
    const verdict = this.#options.enforcement.judge(call, context)
    if (verdict.kind !== 'hold') {
      this.#carryOut(verdict, message, pending)
      return
    }
    pending.withdraw = verdict.withdraw
    void verdict.decided.then(settled => {
      if (this.#pending.has(id)) this.#carryOut(settled, message, pending)
      // The caller has disconnected or cancelled the call. The call is not made, even if it was approved.
      else if (settled.kind === 'pass') settled.call.end('cancelled', null)
    })
  }

  #notification(
    message: Parameters<Link['notify']>[0],
    { caller: grant, conversation, headers }: Incoming<Grant>,
    modern: boolean,
  ): void {
    const call = callOf(message)
    if (call === undefined) {
      this.#linkOf(conversation).notify(message)
      return
    }
    const { session } = conversation
    const protocol = revisionOf(message, conversation, headers)
    const context = { grant, session, requestId: null, canWait: false, modern, protocol }
    const verdict = this.#options.enforcement.judge(call, context)
    if (verdict.kind !== 'pass') return
    this.#linkOf(conversation).notify(message)
    verdict.call.end('unanswered', null)
  }

  #carryOut(verdict: Settled, message: JSONRPCRequest, pending: Pending): void {
    if (verdict.kind === 'pass') {
      pending.call = verdict.call
      this.#forward(message, pending)
    } else this.#finish(pending, { jsonrpc: '2.0', id: message.id, ...verdict.answer })
  }

  #forward(message: JSONRPCRequest, pending: Pending): void {
    const { conversation, reply } = pending
    const link = this.#linkOf(conversation)
    pending.withdraw = reason => link.cancel(message.id, reason)
    link.request(message, {
      preceded: sent => {
        if (this.#pending.has(pending.id)) reply.notify(sent)
      },
      answered: (response, status, lost) => {
        if (!this.#pending.has(pending.id)) return
        if (lost === undefined) pending.call?.answered({ ...response }, status)
        else pending.call?.end('lost', status)
        this.#finish(pending, lost === undefined ? response : ownFailure(response, pending.modern))
      },
      dismissed: reason => {
        if (this.#pending.has(pending.id)) this.#endSubscription(pending, reason)
      },
    })
  }

  /** Ends a subscription. A client over HTTP gets a result, and a client on a pipe gets a cancellation. */
  #endSubscription(pending: Pending, reason: string): void {
    const { callerId, conversation, reply } = pending
    this.#drop(pending)
    if (conversation.transport === 'http') {
      const result = { resultType: 'complete', ...endOfSubscription(callerId) }
      reply.answer({ jsonrpc: '2.0', id: callerId, result })
      return
    }
    reply.notify(cancelledSubscription(callerId, reason))
    reply.abandon()
  }

  #finish(pending: Pending, response: JsonRpcResponse): void {
    const { conversation, reply, grant, method, modern } = pending
    if (method === 'subscriptions/listen' && conversation.transport !== 'http' && 'result' in response) {
      this.#endSubscription(pending, 'the upstream has ended it')
      return
    }
    this.#drop(pending)
    if (method === 'initialize' && !modern && 'result' in response) {
      conversation.version = String(response.result.protocolVersion)
      if (conversation.session !== null) this.#options.opened(conversation.session, grant)
    }
    if (formatJson(response) === undefined) {
      const why = 'the upstream sent an answer that is nested too deeply to be passed on'
      reply.answer(errorResponse(pending.callerId, failureCode(modern), why))
      return
    }
    const shown = withoutHidden(response, grant.engine)
    reply.answer(isResponse(shown) ? shown : response)
  }

  #cancelled(params: unknown, { inflight }: Conversation): void {
    if (!isObject(params) || !isRequestId(params.requestId)) return
    const found = inflight.get(params.requestId)
    const pending = found && this.#pending.get(found.id)
    // The specification of MCP forbids the cancellation of `initialize`.
    if (pending === undefined || pending.method === 'initialize') return
    this.#cancel(pending, typeof params.reason === 'string' ? params.reason : 'cancelled by the caller')
  }

  #cancel(pending: Pending, reason: string): void {
    this.#drop(pending)
    pending.withdraw(reason)
    pending.call?.end('cancelled', null)
    pending.reply.abandon()
  }

  #drop({ id, callerId, conversation }: Pending): void {
    this.#pending.delete(id)
    conversation.inflight.delete(callerId)
    this.#releaseLink(conversation)
  }

  /** Closes the link of a client over HTTP without a session, if the client has no open request. */
  #releaseLink(conversation: Conversation): void {
    if (conversation.transport !== 'http' || conversation.session !== null || conversation.inflight.size > 0)
      return
    this.#links.get(conversation)?.close()
    this.#links.delete(conversation)
  }

  #linkOf(conversation: Conversation): Link {
    const known = this.#links.get(conversation)
    if (known !== undefined) return known
    const link = this.#options.upstream.open(conversation)
    this.#links.set(conversation, link)
    return link
  }
}

/**
 * Returns the error for a refused message. The error has the request id of the message, if it has a valid
 * one.
 */
function refusalOf(
  message: unknown,
  { code, message: why }: RequestFault,
  modern: boolean,
): JsonRpcResponse | AnonymousError {
  const id = requestIdOf(message)
  if (modern) return modernError(id, { code, message: why })
  return id === undefined ? anonymousError(code, why) : errorResponse(id, code, why)
}

/** Returns the error of the gateway for a lost answer, with the error code of the request's era. */
function ownFailure(response: JsonRpcResponse, modern: boolean): JsonRpcResponse {
  if (!modern || !('error' in response)) return response
  return { ...response, error: { ...response.error, code: failureCode(modern) } }
}

/**
 * Returns the protocol revision that a message, its session or its header names. Returns null if none of the
 * three names a revision.
 */
function revisionOf(
  message: unknown,
  { version }: Conversation,
  headers: IncomingHttpHeaders,
): string | null {
  return revisionIn(message) ?? version ?? notedRevision(headers['mcp-protocol-version'])
}
