import type { ServerResponse } from 'node:http'
import type { Writable } from 'node:stream'
import { constants, createGzip } from 'node:zlib'
import type { Clock, Wakeup } from '../clock/clock.js'

/**
 * Time between keep-alive comments, in milliseconds. The comments are needed because proxies close idle
 * connections. The SDK's transport uses the same 15 s.
 */
export const KEEP_ALIVE_MS = 15_000

/**
 * Maximum number of bytes that one client has not read yet. If there are more, the connection of the client
 * is closed, and the client has to connect again.
 */
const MAX_QUEUED_BYTES = 16 * 1024 * 1024

/** The first line of an event that contains an MCP message. */
const MESSAGE = 'event: message\n'

/** A stream of server-sent events on one HTTP response. Comments keep the connection open. */
export class SseStream {
  readonly #response: ServerResponse
  readonly #machine: Clock
  /** The response, or the compressor that writes to the response. */
  readonly #body: Writable
  #keepAlive: Wakeup | undefined

  /**
   * @param machine clock of machine time, because a jump of the instance's clock must not disturb connections
   * @param gzip whether to compress the stream. Each event can be decompressed when it arrives
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
    this.#body = gzip ? createGzipStream(response) : response
    this.#arm()
  }

  /**
   * Sends one MCP message. Returns the size of its JSON in bytes, or 0 if the stream has ended or the client
   * reads too slowly.
   */
  send(message: object): number {
    return this.#write(MESSAGE, message)
  }

  /** Sends one MCP message that is given as JSON text. Sends nothing if the stream has ended. */
  sendJson(json: string): void {
    if (!this.#body.writableEnded) this.#body.write(sseFrame(json))
  }

  /** Sends one message like {@link send}, but the event has no name. */
  sendData(message: object): number {
    return this.#write('', message)
  }

  /**
   * Sends one event with a name and an id.
   *
   * @param json data without a line break
   * @returns true if the next event can be sent immediately. False if the caller must wait until `onDrain`
   *   is called
   */
  sendNamed(name: string, id: string, json: string, onDrain: () => void): boolean {
    if (this.#body.writableEnded || this.#body.destroyed) return true
    const more = this.#body.write(`event: ${name}\nid: ${id}\ndata: ${json}\n\n`)
    if (!more) this.#body.once('drain', onDrain)
    return more
  }

  /** Sends a text unchanged, even if it is not a valid event, and ends the stream. */
  endWith(text: string): void {
    this.#keepAlive?.cancel()
    this.#body.end(text)
  }

  /** Sends a text unchanged, and cuts the connection without ending the stream. */
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

  /**
   * Cuts the connection of a client that has too many unread bytes. A single message can be larger than the
   * limit, because the limit is checked before the message is written.
   */
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

/** Returns the event that contains an MCP message. @param json the message as JSON */
export function sseFrame(json: string): string {
  return `${MESSAGE}data: ${json}\n\n`
}

/**
 * Returns a gzip stream that writes to the response. Each write is flushed, because an event must not wait
 * for the next event.
 */
function createGzipStream(response: ServerResponse): Writable {
  const gzip = createGzip({ flush: constants.Z_SYNC_FLUSH })
  gzip.pipe(response)
  response.on('close', () => gzip.destroy())
  return gzip
}
