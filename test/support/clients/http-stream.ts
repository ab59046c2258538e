import { type ClientRequest, request as httpRequest, type IncomingMessage } from 'node:http'
import { BOTH } from './raw-http.js'

/** An HTTP answer that is read while it is still being written. */
export class HttpStream {
  #text = ''
  #watch: (() => void) | undefined
  readonly ended: Promise<void>

  private constructor(
    readonly request: ClientRequest,
    readonly response: IncomingMessage,
  ) {
    response.on('data', (chunk: Buffer) => {
      this.#text += chunk.toString('utf8')
      this.#watch?.()
    })
    this.ended = new Promise(resolve => {
      response.on('end', resolve)
      response.on('error', () => resolve())
      response.on('close', resolve)
    })
  }

  /** @param sent is given the request once it has been sent; its answer may be long in coming */
  static open(
    url: string,
    method: string,
    headers: Record<string, string>,
    body?: unknown,
    sent?: (request: ClientRequest) => void,
  ): Promise<HttpStream> {
    return new Promise((resolve, reject) => {
      const options = { method, headers: { 'content-type': 'application/json', accept: BOTH, ...headers } }
      const request = httpRequest(url, options, response => resolve(new HttpStream(request, response)))
      request.on('error', reject)
      request.end(body === undefined ? undefined : JSON.stringify(body))
      sent?.(request)
    })
  }

  get text(): string {
    return this.#text
  }

  /** Resolves once the answer so far contains `part`. */
  async has(part: string): Promise<void> {
    while (!this.#text.includes(part)) {
      await new Promise<void>(resolve => {
        this.#watch = resolve
      })
    }
  }

  /** Drops the connection, as a client that dies does. */
  drop(): void {
    this.request.on('error', () => undefined)
    this.request.destroy()
  }
}
