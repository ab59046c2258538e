import type { IncomingHttpHeaders } from 'node:http'
import type { JSONRPCErrorResponse } from '@modelcontextprotocol/sdk/types.js'
import {
  type AnonymousError,
  anonymousError,
  batchRefusal,
  isRequest,
  modernError,
  RpcCode,
  requestIdOf,
  versionRefusal,
} from '../messages.js'
import { LEGACY_REVISIONS, type Revisions } from '../revisions.js'
import type { HttpSession } from './sessions.js'

/** The answer to an HTTP request that is refused before its message is handled. */
export class HttpRejection extends Error {
  override readonly name = 'HttpRejection'

  /**
   * @param status HTTP status of the answer
   * @param code JSON-RPC error code in the body of the answer
   */
  constructor(
    readonly status: number,
    readonly code: number,
    message: string,
    readonly headers: Record<string, string> = {},
  ) {
    super(message)
  }
}

/**
 * Returns the JSON body of a refusal in the form of the request's era. A modern body contains the id of the
 * request if the id can be read. It contains no error code that only the SDK defines.
 *
 * @param body the parsed body of the request. Undefined if the body could not be read
 */
export function rejectionBody(
  { code, message }: HttpRejection,
  body: unknown,
  modern: boolean,
): JSONRPCErrorResponse | AnonymousError {
  if (!modern) return anonymousError(code, message)
  const error = { code: code === RpcCode.transport ? RpcCode.invalidRequest : code, message }
  return modernError(requestIdOf(body), error)
}

export function methodNotAllowed(method: string | undefined, { legacy } = LEGACY_REVISIONS): HttpRejection {
  if (legacy.length === 0) {
    return new HttpRejection(405, RpcCode.invalidRequest, `${method} is not allowed here: POST a message`, {
      Allow: 'POST',
    })
  }
  const message = `${method} is not allowed here: POST a message, GET the notification stream, DELETE the session`
  return new HttpRejection(405, RpcCode.transport, message, { Allow: 'GET, POST, DELETE' })
}

export function parseError(): HttpRejection {
  return new HttpRejection(400, RpcCode.parseError, 'Parse error: the body is not JSON')
}

export function bodyTooLarge(message: string): HttpRejection {
  // The rest of the body is not read, so the connection cannot be used again.
  return new HttpRejection(413, RpcCode.transport, message, { Connection: 'close' })
}

export function invalidRequest(message: string): HttpRejection {
  return new HttpRejection(400, RpcCode.invalidRequest, message)
}

/** Returns the refusal of a batch in the modern era. */
export function modernBatch(): HttpRejection {
  return invalidRequest('the body is a list: this protocol revision has one message in each POST')
}

export function notAcceptable(needed: string): HttpRejection {
  return new HttpRejection(406, RpcCode.transport, `Not Acceptable: the Accept header must allow ${needed}`)
}

export function sessionMissing(method: string | undefined): HttpRejection {
  const message = `${method} needs the Mcp-Session-Id header from the answer to initialize`
  return new HttpRejection(400, RpcCode.transport, message)
}

export function sessionNotFound(id: string): HttpRejection {
  const message = `Session not found: ${JSON.stringify(id)} has ended or never existed: initialize again`
  return new HttpRejection(404, RpcCode.sessionNotFound, message)
}

export function tooManySessions(open: number): HttpRejection {
  const message = `${open} sessions are open: end unneeded ones with DELETE, or wait until some expire`
  return new HttpRejection(503, RpcCode.transport, message, { 'Retry-After': '60' })
}

/** Returns the refusal of a request whose session cannot be looked up at the moment. */
export function sessionLookupFailed(message: string): HttpRejection {
  return new HttpRejection(503, RpcCode.transport, message, { 'Retry-After': '1' })
}

/** Checks the content type. @throws HttpRejection 415 if it is not JSON */
export function requireJson(headers: IncomingHttpHeaders): void {
  if (isJson(headers)) return
  const type = JSON.stringify(headers['content-type'] ?? '')
  throw new HttpRejection(415, RpcCode.transport, `Content-Type is ${type}: send application/json`)
}

/**
 * Checks the legacy revision in the headers.
 *
 * @throws HttpRejection 400 if the server does not serve that revision
 */
export function requireVersion(headers: IncomingHttpHeaders, revisions: Revisions): void {
  const message = versionRefusal(versionOf(headers), revisions)
  if (message !== undefined) throw new HttpRejection(400, RpcCode.transport, message)
}

/**
 * Checks a batch.
 *
 * @throws HttpRejection 400 if the revision has no batches, or if the batch is empty or too large
 */
export function requireBatchAllowed(
  messages: unknown[],
  headers: IncomingHttpHeaders,
  session: HttpSession | undefined,
): void {
  const refusal = batchRefusal(messages.length, versionOf(headers) ?? session?.version)
  if (refusal !== undefined) throw invalidRequest(refusal)
}

/**
 * Checks that `initialize` is neither in a batch nor in a session.
 *
 * @throws HttpRejection 400 for an `initialize` in a batch or in a session
 */
export function requireLoneInitialize(messages: unknown[], session: HttpSession | undefined): void {
  if (!messages.some(isInitialize)) return
  if (messages.length > 1) throw invalidRequest('initialize must not be part of a batch')
  if (session === undefined) return
  throw invalidRequest('the session is initialized already: to open a new session, leave Mcp-Session-Id out')
}

export function isInitialize(message: unknown): boolean {
  return isRequest(message) && message.method === 'initialize'
}

function versionOf(headers: IncomingHttpHeaders): string | undefined {
  const version = headers['mcp-protocol-version']
  return version === undefined ? undefined : String(version)
}

export interface Accepted {
  json: boolean
  sse: boolean
}

/**
 * Returns the forms of answer that the caller accepts. A request without an Accept header accepts both forms.
 */
export function accepted({ accept }: IncomingHttpHeaders): Accepted {
  if (accept === undefined || accept.includes('*/*')) return { json: true, sse: true }
  return {
    json: accept.includes('application/json') || accept.includes('application/*'),
    sse: accept.includes('text/event-stream') || accept.includes('text/*'),
  }
}

function isJson(headers: IncomingHttpHeaders): boolean {
  return /^application\/json\s*(;|$)/i.test(headers['content-type'] ?? '')
}
