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
    /** The bytes of the body, unpacked if it was compressed. Empty if there is none, if it is too large, or if it cannot be unpacked. */
    rawBody: Buffer
    /** Whether the body is larger than the API allows. */
    bodyTooLarge: boolean
    /** Set by the listener for a request that it does not let in. */
    forbidden: Refusal | undefined
    /** Undefined if the API has no journal. */
    journalEntry: JournalEntry | undefined
    /** The methods of the operations at this path, in order of declaration. Set once no operation has answered. */
    allowedMethods: string[]
  }
}

/** Express settings of an API that compares paths letter by letter. In production Express shows no stack. */
const EXACT = { 'case sensitive routing': true, 'strict routing': true, etag: false, env: 'production' }

const METHODS = { GET: 'get', PUT: 'put', POST: 'post', DELETE: 'delete', ALL: 'all' } as const

const EMPTY = Buffer.alloc(0)

export interface ApiOptions {
  /** The server's name in the journal. */
  name: string
  operations: readonly Operation[]
  /** Default: requests are not noted. */
  journal?: Journal
  /** Names the instance, and the journal's entry, in the headers of answers. */
  stamp?: string | undefined
  /** Foreign origins whose pages may call, e.g. `https://instanode.dev`. Default: none. */
  origins?: readonly string[]
  /** Settings of the Express application. Default: paths are compared letter by letter, and answers have no ETag. */
  settings?: Readonly<Record<string, unknown>>
  /** The largest body, in bytes. A larger one is not kept: the operation sees `bodyTooLarge`. */
  bodyLimit: number
  /** A body parser of Express, made with `keepRawBody` as its `verify`. Its errors go to `reject` before any route is looked at. */
  parser?: RequestHandler
  /** Returns the error for a caller that is over its limit. Its body is not read, and its answer has no common headers. */
  rateLimit?(request: Request): Refusal | undefined
  /** Sets the headers that every answer has. */
  setHeaders?(request: Request, response: Response): void
  /** Returns the caller's name in the journal. The body has been read. */
  callerOf?(request: Request): string | Promise<string>
  /** Sends what an operation returns. */
  send(response: Response, value: unknown): void
  /** Answers with an error: of an operation, of the parser, of the router, or `forbidden` from the listener. */
  reject: ErrorRequestHandler
  /** Answers where no operation is. */
  notFound: RequestHandler
}

/** Keeps the bytes that a body parser of Express has read. */
export function keepRawBody(request: IncomingMessage, _response: unknown, bytes: Buffer): void {
  Object.assign(request, { rawBody: bytes })
}

/**
 * Makes an HTTP API of operations: an Express application that reads the body, notes the request in the journal, runs the
 * operation, and sends what it returns.
 *
 * The journal has every request, with the exact body, also if the API refuses it. An entry ends just before its answer is sent,
 * so that a process that is killed afterwards has it.
 */
export function createApi(options: ApiOptions): HttpHandler {
  const { name, operations, journal, stamp, bodyLimit, parser } = options
  const app = express()
  app.disable('x-powered-by')
  for (const [setting, value] of Object.entries({ ...EXACT, ...options.settings })) app.set(setting, value)

  /** Reads the whole body. Returns the error of the parser. */
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

  function note(journal: Journal, request: Request, response: Response, caller: string): void {
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
    // The caller of a stream ends it by hanging up.
    response.on('close', () => {
      if (response.headersSent) journal.close(entry, 'ok')
    })
  }

  /** Ends the journal entry just before the last bytes of the answer are sent. */
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
  // On the prototype that this application gives its responses: a property of each response costs a tenth of a request.
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
      note(journal, request, response, typeof caller === 'string' ? caller : await caller)
    }
    if (request.destroyed && !request.complete) abort(request, response)
    else next(error)
  }
  app.use(prepare)

  for (const { method, path, status = 200, run } of operations) {
    app[METHODS[method]](path, async (request: Request, response: Response) => {
      response.statusCode = status
      const value = await run(request, response)
      if (value !== undefined) options.send(response, value)
    })
  }

  for (const { method, path } of operations) {
    app.all(path, (request, _response, next) => {
      request.allowedMethods.push(method)
      next()
    })
  }
  app.use(options.notFound)

  const reject: ErrorRequestHandler = (error, request, response, next) => {
    // A part of a stream has left already, or the caller has hung up: there is no answer to give.
    if (response.headersSent || response.destroyed) abort(request, response)
    else options.reject(error, request, response, next)
  }
  app.use(reject)

  /**
   * Gives the message classes the prototypes of this app. Express would otherwise change the prototype of each
   * request and response, which costs 20 kB of hidden classes for a waiting request.
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
