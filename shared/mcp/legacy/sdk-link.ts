import type { Server } from '@modelcontextprotocol/sdk/server/index.js'
import type { Transport, TransportSendOptions } from '@modelcontextprotocol/sdk/shared/transport.js'
import type { JSONRPCMessage, MessageExtraInfo, RequestId } from '@modelcontextprotocol/sdk/types.js'

export interface SdkLinkOptions {
  /** Receives each message that the SDK's server sends, except the answers to the pings of this link. */
  sent(message: JSONRPCMessage, options: TransportSendOptions | undefined): void
  onError(error: Error): void
  /** Called when a client has sent a notification that the SDK cannot use. */
  onUselessNotification(): void
}

/**
 * The beginning of the SDK's error about an unusable notification. The SDK reports this error after `hand`
 * has returned, so only this text identifies the error. The rest of the text quotes the client's message.
 */
const USELESS =
  /^(Uncaught error in notification handler|Received a progress notification for an unknown token)/

/**
 * The transport of an SDK `Server`. Through it, the host hands messages to the server and receives the
 * messages that the server sends.
 */
export class SdkLink implements Transport {
  onmessage?: NonNullable<Transport['onmessage']>
  onclose?: NonNullable<Transport['onclose']>
  onerror?: NonNullable<Transport['onerror']>
  readonly #options: SdkLinkOptions
  /** The functions that resolve the open pings. The key is the id of the ping. */
  readonly #pings = new Map<RequestId, () => void>()
  /** Set while the SDK handles a message. `failed` becomes true if the SDK cannot read the message. */
  #reading: { failed: boolean } | undefined

  constructor(options: SdkLinkOptions) {
    this.#options = options
  }

  /** Connects the SDK's server to this link. */
  async mount(server: Server): Promise<void> {
    server.onerror = error => {
      // The SDK's error quotes the unreadable message with its secrets, so the error is not logged. The host
      // answers with its own error.
      if (this.#reading !== undefined) this.#reading.failed = true
      else if (USELESS.test(error.message)) this.#options.onUselessNotification()
      else this.#options.onError(error)
    }
    await server.connect(this)
  }

  async start(): Promise<void> {}

  async close(): Promise<void> {
    this.onclose?.()
  }

  /** Hands a message to the SDK. Returns whether the SDK could read the message. */
  hand(message: JSONRPCMessage, extra?: MessageExtraInfo): boolean {
    const reading = { failed: false }
    this.#reading = reading
    this.onmessage?.(message, extra)
    this.#reading = undefined
    return !reading.failed
  }

  /**
   * Sends a ping to the server and resolves when the server has answered.
   *
   * @param id differs from the id of every request on this link
   */
  async ping(id: number): Promise<void> {
    const answered = new Promise<void>(resolve => this.#pings.set(id, resolve))
    this.hand({ jsonrpc: '2.0', id, method: 'ping' })
    await answered
  }

  /** Receives a message of the SDK's server. The SDK calls this method. */
  async send(message: JSONRPCMessage, options?: TransportSendOptions): Promise<void> {
    const id = 'method' in message ? undefined : message.id
    const pinged = id === undefined ? undefined : this.#pings.get(id)
    if (id === undefined || pinged === undefined) {
      this.#options.sent(message, options)
      return
    }
    this.#pings.delete(id)
    pinged()
  }
}
