import type { IncomingMessage, ServerResponse } from 'node:http'
import type { HttpFace } from '../../../shared/http/listener.js'
import type { Log } from '../../../shared/log.js'
import { answer } from './answer.js'
import type { ReceiveRoute } from './receive.js'

/** The service's HTTP API, as far as it goes beside MCP: the receivers. */
export class RestFace implements HttpFace {
  readonly #receive: ReceiveRoute
  readonly #log: Log

  constructor(receive: ReceiveRoute, log: Log) {
    this.#receive = receive
    this.#log = log
  }

  handle(request: IncomingMessage, response: ServerResponse): void {
    const target = this.#receive.target(request.url ?? '')
    if (target === undefined) {
      const message = `${request.method} ${request.url} is not served here: MCP is at /mcp, a receiver at its receive_url`
      answer(response, 404, { error: 'not_found', message, ok: false })
      return
    }
    this.#receive.handle(request, response, target).catch(error => this.#fail(response, error))
  }

  forbid(_request: IncomingMessage, response: ServerResponse, why: string): void {
    answer(response, 403, { error: 'forbidden', message: why, ok: false })
  }

  #fail(response: ServerResponse, error: unknown): void {
    this.#log.error('a request to a receiver could not be answered', error)
    if (response.headersSent) response.destroy()
    else answer(response, 503, { error: 'lookup_failed', ok: false })
  }
}
