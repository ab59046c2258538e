import type { JSONRPCRequest, RequestId } from '@modelcontextprotocol/sdk/types.js'
import type { Clock } from '../../../shared/clock/clock.js'
import type { JournalEntry } from '../../../shared/journal/entry.js'
import { Journal } from '../../../shared/journal/journal.js'
import type { CallerClues, Conversation, Reply } from '../../../shared/mcp/conversation.js'
import type { Incoming, MessageHost } from '../../../shared/mcp/message-host.js'
import {
  anonymousError,
  errorResponse,
  expectsAnswer,
  isNotification,
  isRequest,
  isRequestId,
  isResponse,
  type JsonRpcResponse,
  RpcCode,
} from '../../../shared/mcp/messages.js'
import { isObject } from '../../../shared/util/is-object.js'
import type { Gate, JudgedCall, Settled } from '../enforcement.js'
import type { Grant } from '../grants.js'
import { callOf, repeatedKey, repeatedText, unsound, withoutHidden, written } from '../messages.js'
import type { Link, Upstream } from './link.js'

export interface RelayHostOptions {
  upstream: Upstream
  gate: Gate
  clock: Clock
  machine: Clock
  /** @throws HttpRejection or Refusal for a caller that is nobody */
  identify(clues: CallerClues): Grant
  /** A session has been opened, or has ended. */
  opened(session: string, grant: Grant): void
  ended(session: string): void
}

/** A request under way. */
interface Pending {
  readonly id: number
  readonly callerId: RequestId
  readonly method: string
  readonly conversation: Conversation
  readonly reply: Reply
  readonly grant: Grant
  /** Let through by the policy. */
  call: JudgedCall | undefined
  /** Takes it back from where it is: the upstream, or whoever is to approve it. */
  takeBack(reason: string): void
}

/**
 * Passes messages between clients and an upstream one by one, where the two do not speak HTTP to each
 * other: a pipe on either side has no connection of its own for each request.
 */
export class RelayHost implements MessageHost<Grant> {
  readonly #options: RelayHostOptions
  readonly #pending = new Map<number, Pending>()
  readonly #links = new Map<Conversation, Link>()
  /** Keeps nothing: the ways in have every request noted, and a gateway's record is its audit. */
  readonly #journal: Journal
  #lastId = 0
  #soundText = ''

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
    return this.#journal.open({
      server: '',
      transport: 'http',
      session: null,
      caller: '',
      method: null,
      tool: null,
      arguments: undefined,
      headers: {},
      raw: '',
    })
  }

  noteEnd(): void {}

  receive(incoming: Incoming<Grant>): void {
    const { message, raw, conversation, reply } = incoming
    // It is written anew on its way.
    const wrong =
      this.#wrong(message, raw) ?? (written(message) === undefined ? 'it is nested too deeply' : undefined)
    if (wrong !== undefined) {
      // A notification has no answer, not even this one.
      if (expectsAnswer(message)) reply.answer(refusalOf(message, wrong))
    } else if (isRequest(message)) this.#request(message, incoming)
    else if (isNotification(message)) {
      if (message.method === 'notifications/cancelled') this.#cancelled(message.params, conversation)
      else this.#notification(message, incoming)
    } else if (isResponse(message)) this.#linkOf(conversation).respond(message)
    this.#letGo(conversation)
  }

  /** Answers what is open, and lets every client go. */
  close(why: string): void {
    for (const pending of [...this.#pending.values()]) {
      pending.takeBack(why)
      this.#finish(pending, errorResponse(pending.callerId, RpcCode.transport, why))
      pending.call?.end('lost', null)
    }
    for (const link of this.#links.values()) link.close()
    this.#links.clear()
  }

  #wrong(message: unknown, raw: string): string | undefined {
    // Every message of a batch comes with the whole of it.
    if (raw !== this.#soundText) {
      const key = repeatedKey(raw, message)
      if (key !== undefined) return repeatedText(key)
      this.#soundText = raw
    }
    return unsound(message)
  }

  #request(message: JSONRPCRequest, { caller: grant, conversation, reply }: Incoming<Grant>): void {
    if (conversation.inflight.has(message.id)) {
      reply.answer(refusalOf(message, `request id ${JSON.stringify(message.id)} is still in use`))
      return
    }
    const id = ++this.#lastId
    const { id: callerId, method } = message
    const pending: Pending = {
      id,
      callerId,
      method,
      conversation,
      reply,
      grant,
      call: undefined,
      takeBack: () => undefined,
    }
    this.#pending.set(id, pending)
    conversation.inflight.set(callerId, pending)
    const call = callOf(message)
    if (call === undefined) {
      this.#letOn(message, pending)
      return
    }
    const { session } = conversation
    const verdict = this.#options.gate.judge(call, { grant, session, requestId: callerId, patient: true })
    if (verdict.kind !== 'hold') {
      this.#carryOut(verdict, message, pending)
      return
    }
    pending.takeBack = verdict.withdraw
    void verdict.decided.then(settled => {
      if (this.#pending.has(id)) this.#carryOut(settled, message, pending)
      // Its caller has gone: what was approved meanwhile is not carried out.
      else if (settled.kind === 'pass') settled.call.end('cancelled', null)
    })
  }

  #notification(
    message: Parameters<Link['notify']>[0],
    { caller: grant, conversation }: Incoming<Grant>,
  ): void {
    const call = callOf(message)
    if (call === undefined) {
      this.#linkOf(conversation).notify(message)
      return
    }
    const { session } = conversation
    const verdict = this.#options.gate.judge(call, { grant, session, requestId: null, patient: false })
    if (verdict.kind !== 'pass') return
    this.#linkOf(conversation).notify(message)
    verdict.call.end('unanswered', null)
  }

  #carryOut(verdict: Settled, message: JSONRPCRequest, pending: Pending): void {
    if (verdict.kind === 'pass') {
      pending.call = verdict.call
      this.#letOn(message, pending)
    } else this.#finish(pending, { jsonrpc: '2.0', id: message.id, ...verdict.answer })
  }

  #letOn(message: JSONRPCRequest, pending: Pending): void {
    const { conversation, reply } = pending
    const link = this.#linkOf(conversation)
    pending.takeBack = reason => link.cancel(message.id, reason)
    link.request(message, {
      preceded: sent => {
        if (this.#pending.has(pending.id)) reply.notify(sent)
      },
      answered: (response, status, lost) => {
        if (!this.#pending.has(pending.id)) return
        if (lost === undefined) pending.call?.answered({ ...response }, status)
        else pending.call?.end('lost', status)
        this.#finish(pending, response)
      },
    })
  }

  #finish(pending: Pending, response: JsonRpcResponse): void {
    const { conversation, reply, grant, method } = pending
    this.#drop(pending)
    if (method === 'initialize' && 'result' in response) {
      conversation.version = String(response.result.protocolVersion)
      if (conversation.session !== null) this.#options.opened(conversation.session, grant)
    }
    if (written(response) === undefined) {
      const why = 'the upstream answered what is nested too deeply to be passed on'
      reply.answer(errorResponse(pending.callerId, RpcCode.transport, why))
      return
    }
    const shown = withoutHidden(response, grant.engine)
    reply.answer(isResponse(shown) ? shown : response)
  }

  #cancelled(params: unknown, { inflight }: Conversation): void {
    if (!isObject(params) || !isRequestId(params.requestId)) return
    const found = inflight.get(params.requestId)
    const pending = found && this.#pending.get(found.id)
    // The specification forbids cancelling `initialize`; what is not under way was answered already.
    if (pending === undefined || pending.method === 'initialize') return
    this.#cancel(pending, typeof params.reason === 'string' ? params.reason : 'cancelled by the caller')
  }

  #cancel(pending: Pending, reason: string): void {
    this.#drop(pending)
    pending.takeBack(reason)
    pending.call?.end('cancelled', null)
    pending.reply.abandon()
  }

  #drop({ id, callerId, conversation }: Pending): void {
    this.#pending.delete(id)
    conversation.inflight.delete(callerId)
    this.#letGo(conversation)
  }

  /** A caller without a session is gone with its last answer. */
  #letGo(conversation: Conversation): void {
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

function refusalOf(message: unknown, why: string) {
  const text = `invalid request: ${why}`
  return isObject(message) && isRequestId(message.id)
    ? errorResponse(message.id, RpcCode.invalidRequest, text)
    : anonymousError(RpcCode.invalidRequest, text)
}
