import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { type HttpResponse, takeResponse } from './http-response.js'

/** One kept-alive connection with one request at a time on it. */
export class HttpConnection {
  readonly #socket: Socket
  readonly #path: string
  readonly #host: string
  #received: Buffer = Buffer.alloc(0)
  #waiting: { resolve(response: HttpResponse): void; reject(error: Error): void } | undefined

  private constructor(socket: Socket, { host, pathname }: URL) {
    this.#socket = socket
    this.#host = host
    this.#path = pathname
    socket.on('data', chunk => this.#receive(chunk))
    socket.on('error', error => this.#fail(error))
    socket.on('close', () => this.#fail(new Error('the server closed the connection')))
  }

  static async open(url: string): Promise<HttpConnection> {
    const target = new URL(url)
    const socket = connect({ host: target.hostname, port: Number(target.port), noDelay: true })
    await once(socket, 'connect')
    return new HttpConnection(socket, target)
  }

  /**
   * @param headers lines, each with its line end
   * @param path default: that of the URL
   */
  post(headers: string, body: string, path = this.#path): Promise<HttpResponse> {
    const head =
      `POST ${path} HTTP/1.1\r\nHost: ${this.#host}\r\nContent-Type: application/json\r\n` +
      `Accept: application/json, text/event-stream\r\nContent-Length: ${Buffer.byteLength(body)}\r\n${headers}\r\n`
    return new Promise((resolve, reject) => {
      this.#waiting = { resolve, reject }
      this.#socket.write(head + body)
    })
  }

  close(): void {
    this.#socket.destroy()
  }

  #receive(chunk: Buffer): void {
    this.#received = this.#received.length === 0 ? chunk : Buffer.concat([this.#received, chunk])
    const taken = takeResponse(this.#received)
    if (taken === undefined) return
    this.#received = this.#received.subarray(taken.bytes)
    const waiting = this.#waiting
    this.#waiting = undefined
    waiting?.resolve(taken.response)
  }

  #fail(error: Error): void {
    this.#waiting?.reject(error)
    this.#waiting = undefined
  }
}
