import type { Server } from '@modelcontextprotocol/sdk/server/index.js'
import type { Transport, TransportSendOptions } from '@modelcontextprotocol/sdk/shared/transport.js'
import type { JSONRPCMessage, MessageExtraInfo, RequestId } from '@modelcontextprotocol/sdk/types.js'

export interface SdkLinkOptions {
  /** Takes what the SDK's server sends, answers to pings of its own excepted. */
  sent(message: JSONRPCMessage, options: TransportSendOptions | undefined): void
  onError(error: Error): void
  /** A client sent a notification that the SDK could not use. */
  onUselessNotification(): void
}

/**
 * How the SDK reports such a notification. It does so later, so that nothing but its text tells which message was meant,
 * and the text goes on with what the client sent.
 */
const USELESS =
  /^(Uncaught error in notification handler|Received a progress notification for an unknown token)/

/** The transport of an SDK `Server`. The host hands messages to the server and receives the messages that it sends. */
export class SdkLink implements Transport {
  onmessage?: NonNullable<Transport['onmessage']>
  onclose?: NonNullable<Transport['onclose']>
  onerror?: NonNullable<Transport['onerror']>
  readonly #options: SdkLinkOptions
  /** The pings that the SDK has not answered, by their id. */
  readonly #pings = new Map<RequestId, () => void>()
  /** While the SDK is handed a message: whether it could read it. */
  #reading: { failed: boolean } | undefined

  constructor(options: SdkLinkOptions) {
    this.#options = options
  }

  /** Puts `server` behind this link. */
  async mount(server: Server): Promise<void> {
    server.onerror = error => {
      // The SDK's error quotes the unreadable message with its secrets, so it is not logged. The sender gets another error.
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

  /** Has the server answer a ping. @param id that no request has */
  async ping(id: number): Promise<void> {
    const answered = new Promise<void>(resolve => this.#pings.set(id, resolve))
    this.hand({ jsonrpc: '2.0', id, method: 'ping' })
    await answered
  }

  /** Called by the SDK. */
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
