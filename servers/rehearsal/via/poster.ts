import { Agent as HttpAgent, type IncomingHttpHeaders, request as requestHttp } from 'node:http'
import { Agent as HttpsAgent, request as requestHttps } from 'node:https'

/** A request over HTTP, on connections that are kept: a rehearsal makes thousands, and `fetch` costs as much as the call. */
export class Poster {
  readonly #url: URL
  readonly #agent: HttpAgent

  constructor(url: string) {
    this.#url = new URL(url)
    this.#agent = this.#url.protocol === 'https:' ? new HttpsAgent(KEPT) : new HttpAgent(KEPT)
  }

  /** Rejects with what went wrong on the way. */
  send(
    method: 'POST' | 'DELETE',
    headers: Record<string, string>,
    body: string,
    signal: AbortSignal,
  ): Promise<{ status: number; headers: IncomingHttpHeaders; text: string }> {
    const request = this.#url.protocol === 'https:' ? requestHttps : requestHttp
    const length = { 'Content-Length': String(Buffer.byteLength(body)) }
    return new Promise((resolve, reject) => {
      const options = { method, agent: this.#agent, headers: { ...headers, ...length }, signal }
      const sent = request(this.#url, options, response => {
        const chunks: Buffer[] = []
        response.on('data', (chunk: Buffer) => chunks.push(chunk))
        response.on('error', reject)
        response.on('end', () => {
          const text = Buffer.concat(chunks).toString('utf8')
          resolve({ status: response.statusCode ?? 0, headers: response.headers, text })
        })
      })
      sent.on('error', reject)
      sent.end(body)
    })
  }

  close(): void {
    this.#agent.destroy()
  }
}

const KEPT = { keepAlive: true, maxSockets: 1 }
