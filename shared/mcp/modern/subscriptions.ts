import {
  ErrorCode,
  type JSONRPCNotification,
  type JSONRPCRequest,
  McpError,
  type RequestId,
  type Result,
} from '@modelcontextprotocol/sdk/types.js'
import { isObject } from '../../util/objects.js'
import type { Call } from '../conversation.js'
import { MetaKey } from '../revisions.js'

/**
 * The notifications that a client can ask for. The key is a member of the filter. The value is the server
 * capability that the notification needs.
 */
const LIST_CHANGES = {
  toolsListChanged: 'tools',
  promptsListChanged: 'prompts',
  resourcesListChanged: 'resources',
} as const

type ListChange = keyof typeof LIST_CHANGES

interface Subscription<Caller> {
  readonly call: Call<Caller>
  readonly changes: readonly ListChange[]
  /** Ends the subscription with a result. */
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

  /**
   * @param capabilities the server's capabilities. A notification is sent only if its capability has
   *   `listChanged`
   */
  constructor(capabilities: Readonly<Record<string, unknown>>) {
    this.#capabilities = capabilities
  }

  /**
   * Acknowledges a request and keeps it open.
   *
   * @returns a promise for the result, which is resolved when the server ends the subscription
   * @throws McpError -32602 if the request has no filter
   */
  async listen(call: Call<Caller>, params: JSONRPCRequest['params']): Promise<Result> {
    const filter = params?.notifications
    if (!isObject(filter)) {
      const message =
        'subscriptions/listen needs params.notifications, an object such as {"toolsListChanged": true}'
      throw new McpError(ErrorCode.InvalidParams, message)
    }
    const changes = (Object.keys(LIST_CHANGES) as ListChange[]).filter(
      change => filter[change] === true && this.#offers(LIST_CHANGES[change]),
    )
    const notifications = Object.fromEntries(changes.map(change => [change, true]))
    send(call, 'notifications/subscriptions/acknowledged', { notifications })
    return new Promise(end => this.#open.set(call, { call, changes, end }))
  }

  /** Notifies the subscribers of a changed list, if they asked for changes of that list. */
  announce(list: 'tools' | 'prompts' | 'resources'): void {
    for (const { call, changes } of this.#open.values()) {
      if (changes.some(change => LIST_CHANGES[change] === list))
        send(call, `notifications/${list}/list_changed`)
    }
  }

  /** Removes the subscription of a call that has ended. Does nothing for other calls. */
  ended(call: Call<Caller>): void {
    this.#open.delete(call)
  }

  /**
   * Ends every subscription. Over HTTP, the stream ends with a result. On a pipe, the specification requires
   * a cancellation instead.
   *
   * @param dismiss ends a call without an answer
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

/** Returns the result that ends a subscription over HTTP. @param id request id of the subscription */
export function endOfSubscription(id: RequestId): Result {
  return { _meta: { [MetaKey.subscription]: id } }
}

/** Returns the notification that ends a subscription on a pipe. @param id request id of the subscription */
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
