import { type IncomingMessage, ServerResponse } from 'node:http'
import express, { type ErrorRequestHandler, type Request, type RequestHandler, type Response } from 'express'
import { Refusal } from '../errors.js'
import type { JournalEntry } from '../journal/entry.js'
import type { Journal } from '../journal/journal.js'
import type { HttpHandler, MessageClasses } from './listener.js'
import type { Operation } from './operation.js'
import { readBody } from './read-body.js'
import { addStamp } from './stamp.js'

declare module 'express-serve-static-core' {
  interface Request {
    /**
     * The bytes of the body, after decompression. Empty if there is no body, or if the body is too large or
     * cannot be decompressed.
     */
    rawBody: Buffer
    /** Whether the body is larger than the API allows. */
    bodyTooLarge: boolean
    /** The reason why the listener refuses the request. Undefined if the listener allows the request. */
    forbidden: Refusal | undefined
    /** Undefined if the API has no journal. */
    journalEntry: JournalEntry | undefined
    /**
     * The methods of the operations at this path, in the order of declaration. Filled only if no operation
     * has answered the request.
     */
    allowedMethods: string[]
  }
}

/**
 * Express settings that make paths match exactly, including upper and lower case. In production mode, Express
 * sends no stack traces.
 */
const EXACT = { 'case sensitive routing': true, 'strict routing': true, etag: false, env: 'production' }

const METHODS = { GET: 'get', PUT: 'put', POST: 'post', DELETE: 'delete', ALL: 'all' } as const

const EMPTY = Buffer.alloc(0)

export interface ApiOptions {
  /** The server's name in the journal. */
  name: string
  operations: readonly Operation[]
  /** The journal that records the requests. Default: requests are not recorded. */
  journal?: Journal
  /**
   * The name of the instance. Each answer then has headers with this name and the `seq` of the journal entry.
   * Default: answers have no such headers.
   */
  stamp?: string | undefined
  /** Foreign origins whose pages may call the API, e.g. `https://instanode.dev`. Default: none. */
  origins?: readonly string[]
  /** Settings of the Express application. Default: paths are compared exactly, and answers have no ETag. */
  settings?: Readonly<Record<string, unknown>>
  /**
   * Maximum size of a body in bytes. A larger body is discarded, and `bodyTooLarge` of the request is then
   * true.
   */
  bodyLimit: number
  /**
   * A body parser of Express, created with `keepRawBody` as its `verify` option. If the parser fails, its
   * error is passed to `reject` and no operation runs.
   */
  parser?: RequestHandler
  /**
   * Returns an error if the caller exceeds its rate limit. In that case the body is not read and `setHeaders`
   * is not called.
   */
  rateLimit?(request: Request): Refusal | undefined
  /** Sets the headers that all answers have. */
  setHeaders?(request: Request, response: Response): void
  /** Returns the caller's name in the journal. Called after the body has been read. */
  callerOf?(request: Request): string | Promise<string>
  /** Sends the value that an operation returned. */
  send(response: Response, value: unknown): void
  /**
   * Answers with an error. The error comes from an operation, the parser, the router, `rateLimit` or
   * `forbidden`.
   */
  reject: ErrorRequestHandler
  /** Answers a request that no operation has answered. */
  notFound: RequestHandler
}

/** Sets `rawBody` of the request to the bytes that a body parser of Express has read. */
export function keepRawBody(request: IncomingMessage, _response: unknown, bytes: Buffer): void {
  Object.assign(request, { rawBody: bytes })
}

/**
 * Creates an HTTP API from operations. The API is an Express application that reads the body, records the
 * request in the journal, runs the operation, and sends the returned value.
 *
 * The journal records every request with its exact body, even if the request is refused. The entry is closed
 * just before the answer is sent. If the process is killed after the answer, the journal therefore has the
 * complete entry.
 */
export function createApi(options: ApiOptions): HttpHandler {
  const { name, operations, journal, stamp, bodyLimit, parser } = options
  const app = express()
  app.disable('x-powered-by')
  for (const [setting, value] of Object.entries({ ...EXACT, ...options.settings })) app.set(setting, value)

  /** Reads the whole body. Returns the error of the parser, if there is one. */
  async function receive(request: Request, response: Response): Promise<unknown> {
    const error = parser && (await new Promise(resolve => parser(request, response, resolve)))
    if (!hasBody(request) || request.readableEnded || request.destroyed) return error
    try {
      request.rawBody = await readBody(request, bodyLimit)
    } catch {
      request.bodyTooLarge = true
    }
    return error
  }

  function openEntry(journal: Journal, request: Request, response: Response, caller: string): void {
    const entry = journal.open({
      server: name,
      transport: 'http',
      session: null,
      caller,
      method: `${request.method} ${request.path}`,
      tool: null,
      arguments: undefined,
      headers: request.headers,
      raw: request.rawBody.toString('utf8'),
    })
    request.journalEntry = entry
    if (stamp !== undefined) addStamp(response, stamp, entry)
    // An answer that is a stream often ends without a call of `end`. Its entry is closed when the connection
    // closes.
    response.on('close', () => {
      if (response.headersSent) journal.close(entry, 'ok')
    })
  }

  /** Closes the journal entry just before the last bytes of the answer are sent. */
  function end(this: Response, chunk?: unknown, ...rest: unknown[]): unknown {
    const { journalEntry } = this.req
    if (journalEntry !== undefined) {
      const body = typeof chunk === 'string' || Buffer.isBuffer(chunk) ? chunk : undefined
      const outcome = this.statusCode < 400 ? 'ok' : 'protocol_error'
      const bytes = body === undefined ? 0 : Buffer.byteLength(body)
      journal?.close(journalEntry, this.destroyed ? 'aborted' : outcome, bytes, body?.toString())
    }
    return Reflect.apply(ServerResponse.prototype.end, this, [chunk, ...rest])
  }
  // `end` is set once, on the prototype of the application's responses. Setting it on each response would
  // make a request 10 % slower.
  Object.assign(app.response, { end })

  function abort({ journalEntry }: Request, response: Response): void {
    if (journalEntry !== undefined) journal?.close(journalEntry, 'aborted')
    response.destroy()
  }

  const prepare: RequestHandler = async (request, response, next) => {
    const { forbidden } = request
    const limited = forbidden === undefined ? options.rateLimit?.(request) : undefined
    const error = forbidden ?? limited ?? (await receive(request, response))
    if (limited === undefined) options.setHeaders?.(request, response)
    if (journal !== undefined) {
      const caller = options.callerOf?.(request) ?? ''
      openEntry(journal, request, response, typeof caller === 'string' ? caller : await caller)
    }
    if (request.destroyed && !request.complete) abort(request, response)
    else next(error)
  }
  app.use(prepare)

  for (const { method, path, status = 200, run } of operations) {
    const route = app.route(path)
    route[METHODS[method]](async (request: Request, response: Response) => {
      response.statusCode = status
      const value = await run(request, response)
      if (value !== undefined) options.send(response, value)
    })
    // `app.all` would add a handler for each of 34 methods, which takes most of the start of an instance.
    route.all((request, _response, next) => {
      request.allowedMethods.push(method)
      next()
    })
  }
  app.use(options.notFound)

  const reject: ErrorRequestHandler = (error, request, response, next) => {
    // After the headers were sent, or after the caller has disconnected, no error can be sent.
    if (response.headersSent || response.destroyed) abort(request, response)
    else options.reject(error, request, response, next)
  }
  app.use(reject)

  /**
   * Makes the message classes inherit from the prototypes of this application. Otherwise, Express would
   * change the prototype of each single request and response. V8 would then need 20 kB of hidden classes for
   * each waiting request.
   */
  function extendMessages({ IncomingMessage, ServerResponse }: MessageClasses): void {
    Object.setPrototypeOf(IncomingMessage.prototype, app.request)
    Object.setPrototypeOf(ServerResponse.prototype, app.response)
    Object.assign(app, { request: IncomingMessage.prototype, response: ServerResponse.prototype })
  }

  function start(request: IncomingMessage, response: ServerResponse, forbidden?: Refusal): void {
    Object.assign(request, { rawBody: EMPTY, bodyTooLarge: false, forbidden, allowedMethods: [] })
    app(request, response)
  }

  return {
    origins: options.origins ?? [],
    extendMessages,
    handle: (request, response) => start(request, response),
    rejectForbidden: (request, response, why) => start(request, response, new Refusal('forbidden', why)),
  }
}

function hasBody({ headers }: Request): boolean {
  return headers['transfer-encoding'] !== undefined || Number(headers['content-length'] ?? 0) > 0
}
