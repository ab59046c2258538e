import type { ServerResponse } from 'node:http'
import type { Clock, Wakeup } from '../clock/clock.js'

/** Proxies cut a connection on which nothing passes; 15 s is what the SDK's own transport keeps to. */
export const KEEP_ALIVE_MS = 15_000

/** A stream of server-sent events on one HTTP response, with comments to keep it open. */
export class SseStream {
  readonly #response: ServerResponse
  readonly #machine: Clock
  #keepAlive: Wakeup | undefined

  /** @param machine the machine's time: a jump of the instance's clock must not disturb connections */
  constructor(response: ServerResponse, machine: Clock, headers: Record<string, string>) {
    this.#response = response
    this.#machine = machine
    response.writeHead(200, {
      'Content-Type': 'text/event-stream',
      'Cache-Control': 'no-cache, no-transform',
      'X-Accel-Buffering': 'no',
      ...headers,
    })
    response.flushHeaders()
    response.on('close', () => this.#keepAlive?.cancel())
    this.#arm()
  }

  /** Sends one message of MCP; returns the size of its JSON in bytes. Once the stream has ended, nothing is sent. */
  send(message: object): number {
    return this.#write('event: message\n', message)
  }

  /** Sends one event without a name; otherwise like {@link send}. */
  sendBare(message: object): number {
    return this.#write('', message)
  }

  end(): void {
    this.#keepAlive?.cancel()
    this.#response.end()
  }

  #write(head: string, message: object): number {
    if (this.#response.writableEnded) return 0
    const json = JSON.stringify(message)
    this.#response.write(`${head}data: ${json}\n\n`)
    return Buffer.byteLength(json)
  }

  #arm(): void {
    this.#keepAlive = this.#machine.wakeAt(this.#machine.now() + KEEP_ALIVE_MS, () => {
      this.#response.write(': keep-alive\n\n')
      this.#arm()
    })
  }
}
