import {
  ErrorCode,
  type JSONRPCNotification,
  type JSONRPCRequest,
  McpError,
  type RequestId,
  type Result,
} from '@modelcontextprotocol/sdk/types.js'
import { isObject } from '../../util/is-object.js'
import type { Call } from '../conversation.js'
import { MetaKey } from '../revisions.js'

/** Notices that a client can ask for: the member of the filter, and the capability that offers it. */
const LIST_CHANGES = {
  toolsListChanged: 'tools',
  promptsListChanged: 'prompts',
  resourcesListChanged: 'resources',
} as const

type ListChange = keyof typeof LIST_CHANGES

interface Subscription<Caller> {
  readonly call: Call<Caller>
  readonly changes: readonly ListChange[]
  /** Ends it with a result. */
  end(result: Result): void
}

/**
 * The open `subscriptions/listen` requests of a server.
 *
 * A subscription is open from its acknowledgement until its caller cancels it, or until `close`.
 */
export class Subscriptions<Caller> {
  readonly #capabilities: Readonly<Record<string, unknown>>
  readonly #open = new Map<Call<Caller>, Subscription<Caller>>()

  /** @param capabilities of the server: a notice is sent only if one of them offers it */
  constructor(capabilities: Readonly<Record<string, unknown>>) {
    this.#capabilities = capabilities
  }

  /**
   * Acknowledges a request and keeps it open.
   *
   * @returns its result, once the subscription ends from this side
   * @throws McpError -32602 without a filter
   */
  async listen(call: Call<Caller>, params: JSONRPCRequest['params']): Promise<Result> {
    const filter = params?.notifications
    if (!isObject(filter)) {
      const message =
        'subscriptions/listen needs params.notifications, an object: {"toolsListChanged": true}, say'
      throw new McpError(ErrorCode.InvalidParams, message)
    }
    const changes = (Object.keys(LIST_CHANGES) as ListChange[]).filter(
      change => filter[change] === true && this.#offers(LIST_CHANGES[change]),
    )
    const notifications = Object.fromEntries(changes.map(change => [change, true]))
    send(call, 'notifications/subscriptions/acknowledged', { notifications })
    return new Promise(end => this.#open.set(call, { call, changes, end }))
  }

  /** Tells each subscriber that asked for it that the list has changed. */
  announce(list: 'tools' | 'prompts' | 'resources'): void {
    for (const { call, changes } of this.#open.values()) {
      if (changes.some(change => LIST_CHANGES[change] === list))
        send(call, `notifications/${list}/list_changed`)
    }
  }

  /** A call is over. It may have been a subscription. */
  ended(call: Call<Caller>): void {
    this.#open.delete(call)
  }

  /**
   * Ends every subscription. Over HTTP its stream ends with a result. On a pipe the client is told by a cancellation, as
   * the specification has it.
   *
   * @param dismiss takes a call away without an answer
   */
  close(dismiss: (call: Call<Caller>) => void): void {
    for (const { call, end } of [...this.#open.values()]) {
      if (call.conversation.transport === 'http') end(endOfSubscription(call.callerId))
      else {
        call.reply.notify(cancelledSubscription(call.callerId, 'the server is shutting down'))
        dismiss(call)
      }
    }
  }

  #offers(capability: string): boolean {
    const offered = this.#capabilities[capability]
    return isObject(offered) && offered.listChanged === true
  }
}

/** The result that ends a subscription over HTTP. @param id of its request */
export function endOfSubscription(id: RequestId): Result {
  return { _meta: { [MetaKey.subscription]: id } }
}

/** The notification that ends a subscription on a pipe. @param id of its request */
export function cancelledSubscription(id: RequestId, reason: string): JSONRPCNotification {
  return { jsonrpc: '2.0', method: 'notifications/cancelled', params: { requestId: id, reason } }
}

function send<Caller>({ reply, callerId }: Call<Caller>, method: string, params: object = {}): void {
  reply.notify({
    jsonrpc: '2.0',
    method,
    params: { ...params, _meta: { [MetaKey.subscription]: callerId } },
  })
}
