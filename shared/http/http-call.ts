import type { IncomingHttpHeaders, IncomingMessage, ServerResponse } from 'node:http'

const EMPTY = Buffer.alloc(0)

/** One request of an HTTP API, and the response to it. */
export class HttpCall {
  readonly method: string
  /** Without the query. */
  readonly path: string
  /** What stands behind the `?`; empty without one. */
  readonly search: string
  /** What the route's pattern left open, percent-decoded. */
  params: Readonly<Record<string, string>> = {}
  /** Empty if there is none, or the route reads none. */
  body: Buffer = EMPTY
  /** The body was longer than the route takes; `body` is empty then. */
  tooLarge = false
  #query: URLSearchParams | undefined
  #leaving: AbortController | undefined

  constructor(
    readonly request: IncomingMessage,
    readonly response: ServerResponse,
  ) {
    const { method = 'GET', url: target = '/' } = request
    const url = target.startsWith('/') ? target : originForm(target)
    const mark = url.indexOf('?')
    this.method = method
    this.path = mark < 0 ? url : url.slice(0, mark)
    this.search = mark < 0 ? '' : url.slice(mark + 1)
  }

  get headers(): IncomingHttpHeaders {
    return this.request.headers
  }

  get query(): URLSearchParams {
    this.#query ??= new URLSearchParams(this.search)
    return this.#query
  }

  /** The socket's address; empty once it is gone. */
  get peer(): string {
    return this.request.socket.remoteAddress ?? ''
  }

  /** Fires when the caller hangs up before it has been answered. Made when it is first asked for. */
  get signal(): AbortSignal {
    if (this.#leaving === undefined) {
      const leaving = new AbortController()
      this.#leaving = leaving
      const { response } = this
      const hungUp = () => {
        if (!response.writableFinished) leaving.abort('the caller hung up')
      }
      if (response.closed) hungUp()
      else response.on('close', hungUp)
    }
    return this.#leaving.signal
  }
}

/** `/path` of `http://host/path`, which is how a proxy may ask. */
function originForm(target: string): string {
  const rest = target.replace(/^https?:\/\/[^/?]*/i, '')
  return rest === '' || rest.startsWith('?') ? `/${rest}` : rest
}
