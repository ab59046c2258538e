import type { IncomingMessage, ServerResponse } from 'node:http'
import { Refusal } from '../errors.js'
import type { JournalEntry } from '../journal/entry.js'
import type { Journal } from '../journal/journal.js'
import { HttpCall } from './http-call.js'
import type { HttpFace } from './listener.js'
import { readBody } from './read-body.js'
import { type HttpAnswer, type Route, RouteTable } from './routes.js'
import { addStamp } from './stamp.js'

export interface ApiOptions {
  /** The server's name in the journal. */
  name: string
  journal: Journal
  /** Names the instance, and the journal's entry, in the headers of answers. */
  stamp?: string | undefined
  routes: readonly Route[]
  /** Foreign origins whose pages may call, e.g. `https://instanode.dev`. Default: none. */
  origins?: readonly string[]
  /** The answer to a caller that is not to be heard at all now: it gets no common headers, and its body is not read. */
  turnAway?(call: HttpCall): HttpAnswer | undefined
  /** The caller, as the journal names it; the body has been read. */
  nameOf(call: HttpCall): string | Promise<string>
  /** The answer to what a route has thrown. */
  refuse(error: unknown, call: HttpCall): HttpAnswer
  /** The answer where no route is: `methods` are those that the path does have. */
  unrouted(call: HttpCall, methods: readonly string[]): HttpAnswer
  /** The answer to a request that was not meant for this listener. */
  forbidden(why: string): HttpAnswer
  /** Headers of every answer. Those that an answer has itself go before. */
  headers?(call: HttpCall): Record<string, string>
}

/**
 * An HTTP API on `node:http`: finds the route, reads the body, has the journal note the request, runs the route, and
 * sends what it returns. A request of which nothing can be made is answered and noted like any other.
 */
export class ApiFace implements HttpFace {
  readonly origins: readonly string[]
  readonly #options: ApiOptions
  readonly #routes: RouteTable

  constructor(options: ApiOptions) {
    this.origins = options.origins ?? []
    this.#options = options
    this.#routes = new RouteTable(options.routes)
  }

  handle(request: IncomingMessage, response: ServerResponse): void {
    // What is thrown in here is thrown by the answering of errors itself: there is nothing left to say.
    this.#answer(new HttpCall(request, response)).catch(() => response.destroy())
  }

  forbid(request: IncomingMessage, response: ServerResponse, why: string): void {
    const call = new HttpCall(request, response)
    this.#forbid(call, why).catch(() => response.destroy())
  }

  async #forbid(call: HttpCall, why: string): Promise<void> {
    this.#send(call, await this.#open(call), this.#options.forbidden(why))
  }

  async #answer(call: HttpCall): Promise<void> {
    const turnedAway = this.#options.turnAway?.(call)
    if (turnedAway !== undefined) {
      this.#send(call, await this.#open(call), turnedAway, {})
      return
    }
    const { route, params, methods } = this.#routes.find(call.method, call.path)
    call.params = params
    if (route === undefined) {
      this.#send(call, await this.#open(call), this.#options.unrouted(call, methods))
      return
    }
    const complete = route.bodyLimit === undefined || (await readInto(call, route.bodyLimit))
    const entry = await this.#open(call)
    if (!complete) {
      this.#options.journal.close(entry, 'aborted')
      return
    }
    const answer = await this.#run(route, call)
    if (answer === undefined) this.#endWith(call, entry)
    else this.#send(call, entry, answer)
  }

  async #run(route: Route, call: HttpCall): Promise<HttpAnswer | undefined> {
    try {
      return await route.run(call)
    } catch (error) {
      return this.#options.refuse(error, call)
    }
  }

  /** A caller that is known at once costs no wait. */
  #open(call: HttpCall): JournalEntry | Promise<JournalEntry> {
    const caller = this.#options.nameOf(call)
    return typeof caller === 'string' ? this.#note(call, caller) : caller.then(name => this.#note(call, name))
  }

  #note(call: HttpCall, caller: string): JournalEntry {
    const { journal, stamp } = this.#options
    const entry = journal.open({
      server: this.#options.name,
      transport: 'http',
      session: null,
      caller,
      method: `${call.method} ${call.path}`,
      tool: null,
      arguments: undefined,
      headers: call.headers,
      raw: call.body.toString('utf8'),
    })
    if (stamp !== undefined) addStamp(call.response, stamp, entry)
    return entry
  }

  /** The answer is a stream: it ends when its connection does. */
  #endWith({ response }: HttpCall, entry: JournalEntry): void {
    const end = () => this.#options.journal.close(entry, 'ok', 0)
    if (response.closed) end()
    else response.on('close', end)
  }

  #send(
    call: HttpCall,
    entry: JournalEntry,
    { status, headers, body }: HttpAnswer,
    common = this.#options.headers?.(call),
  ): void {
    const { response } = call
    const { journal } = this.#options
    if (response.headersSent || response.destroyed) {
      // Part of a stream has left already, or the caller has.
      response.destroy()
      journal.close(entry, 'aborted')
      return
    }
    const bytes = Buffer.byteLength(body)
    // Before it is sent: a process that is killed behind an answer has the call in its journal.
    journal.close(entry, status < 400 ? 'ok' : 'protocol_error', bytes, body)
    response.writeHead(status, {
      ...common,
      'Content-Length': bytes,
      ...headers,
    })
    response.end(body)
  }
}

/** Reads the body; tells whether the caller has stayed for all of it. */
async function readInto(call: HttpCall, limit: number): Promise<boolean> {
  try {
    call.body = await readBody(call.request, limit)
  } catch (error) {
    if (!(error instanceof Refusal && error.code === 'body_too_large')) return false
    call.tooLarge = true
  }
  return true
}
