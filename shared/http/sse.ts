import type { ServerResponse } from 'node:http'
import type { Writable } from 'node:stream'
import { constants, createGzip } from 'node:zlib'
import type { Clock, Wakeup } from '../clock/clock.js'

/** Proxies cut a connection on which nothing passes; 15 s is what the SDK's own transport keeps to. */
export const KEEP_ALIVE_MS = 15_000

/** The most that is queued for a reader. One that leaves more unread is cut, and has to come again. */
const MAX_QUEUED_BYTES = 16 * 1024 * 1024

/** The head of an event that is a message of MCP. */
const MESSAGE = 'event: message\n'

/** A stream of server-sent events on one HTTP response, with comments to keep it open. */
export class SseStream {
  readonly #response: ServerResponse
  readonly #machine: Clock
  /** The response, or what compresses on the way to it. */
  readonly #body: Writable
  #keepAlive: Wakeup | undefined

  /**
   * @param machine the machine's time: a jump of the instance's clock must not disturb connections
   * @param gzip whether to compress, each event by itself
   */
  constructor(response: ServerResponse, machine: Clock, headers: Record<string, string>, gzip = false) {
    this.#response = response
    this.#machine = machine
    response.writeHead(200, {
      'Content-Type': 'text/event-stream',
      'Cache-Control': 'no-cache, no-transform',
      'X-Accel-Buffering': 'no',
      ...(gzip && { 'Content-Encoding': 'gzip' }),
      ...headers,
    })
    response.flushHeaders()
    response.on('close', () => this.#keepAlive?.cancel())
    this.#body = gzip ? compressing(response) : response
    this.#arm()
  }

  /** Sends one message of MCP; returns the size of its JSON in bytes. Once the stream has ended, nothing is sent. */
  send(message: object): number {
    return this.#write(MESSAGE, message)
  }

  /** Sends one message of MCP that is JSON already. */
  sendJson(json: string): void {
    if (!this.#body.writableEnded) this.#body.write(sseFrame(json))
  }

  /** Sends one event without a name; otherwise like {@link send}. */
  sendBare(message: object): number {
    return this.#write('', message)
  }

  /**
   * Sends one event under a name and an id.
   *
   * @param json on one line
   * @returns whether it may be sent more at once; else `onDrain` is called when it may
   */
  sendNamed(name: string, id: string, json: string, onDrain: () => void): boolean {
    if (this.#body.writableEnded || this.#body.destroyed) return true
    const more = this.#body.write(`event: ${name}\nid: ${id}\ndata: ${json}\n\n`)
    if (!more) this.#body.once('drain', onDrain)
    return more
  }

  /** Sends text as it stands, well-framed or not, and ends. */
  endWith(text: string): void {
    this.#keepAlive?.cancel()
    this.#body.end(text)
  }

  /** Sends text as it stands, and cuts the connection without ending the stream. */
  cut(text: string): void {
    this.#keepAlive?.cancel()
    this.#body.write(text, () => this.#response.destroy())
  }

  end(): void {
    this.#keepAlive?.cancel()
    this.#body.end()
  }

  #write(head: string, message: object): number {
    if (this.#body.writableEnded || this.#isTooSlow()) return 0
    const json = JSON.stringify(message)
    this.#body.write(`${head}data: ${json}\n\n`)
    return Buffer.byteLength(json)
  }

  /** Cuts a reader that has left too much unread. One message may be larger than the bound. */
  #isTooSlow(): boolean {
    const compressed = this.#body === this.#response ? 0 : this.#body.writableLength
    if (compressed + this.#response.writableLength <= MAX_QUEUED_BYTES) return false
    this.#response.destroy()
    return true
  }

  #arm(): void {
    this.#keepAlive = this.#machine.wakeAt(this.#machine.now() + KEEP_ALIVE_MS, () => {
      this.#body.write(': keep-alive\n\n')
      this.#arm()
    })
  }
}

/** A message of MCP as an event. */
export function sseFrame(json: string): string {
  return `${MESSAGE}data: ${json}\n\n`
}

/** Each write leaves at once: an event that waits for the next is no event. */
function compressing(response: ServerResponse): Writable {
  const gzip = createGzip({ flush: constants.Z_SYNC_FLUSH })
  gzip.pipe(response)
  response.on('close', () => gzip.destroy())
  return gzip
}
