import type { IncomingHttpHeaders } from 'node:http'
import type { JSONRPCErrorResponse } from '@modelcontextprotocol/sdk/types.js'
import { isObject } from '../../util/is-object.js'
import {
  type AnonymousError,
  anonymousError,
  batchRefusal,
  isRequest,
  isRequestId,
  RpcCode,
  versionRefusal,
} from '../messages.js'
import { LEGACY_REVISIONS, type Revisions } from '../revisions.js'
import type { HttpSession } from './sessions.js'

/** A request that is answered without reaching the server. */
export class HttpRejection extends Error {
  override readonly name = 'HttpRejection'

  /**
   * @param status of the HTTP answer
   * @param code of the JSON-RPC error in its body
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
 * The JSON body of a refusal, as the era of the request writes it. A modern one has the id of the request, and no code of
 * the SDK's own.
 *
 * @param body of the request, parsed; undefined if it could not be read
 */
export function rejectionBody(
  { code, message }: HttpRejection,
  body: unknown,
  modern: boolean,
): JSONRPCErrorResponse | AnonymousError {
  if (!modern) return anonymousError(code, message)
  const error = { code: code === RpcCode.transport ? RpcCode.invalidRequest : code, message }
  return isObject(body) && isRequestId(body.id)
    ? { jsonrpc: '2.0', id: body.id, error }
    : { jsonrpc: '2.0', error }
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

/** The refusal of a list of messages in the modern era. */
export function modernBatch(): HttpRejection {
  return invalidRequest('the body is a list: this protocol revision has one message in each POST')
}

export function notAcceptable(needed: string): HttpRejection {
  return new HttpRejection(406, RpcCode.transport, `Not Acceptable: the Accept header must allow ${needed}`)
}

export function sessionMissing(method: string | undefined): HttpRejection {
  const message = `${method} needs the Mcp-Session-Id header that initialize was answered with`
  return new HttpRejection(400, RpcCode.transport, message)
}

export function sessionNotFound(id: string): HttpRejection {
  const message = `Session not found: ${JSON.stringify(id)} has ended or never was; initialize again`
  return new HttpRejection(404, RpcCode.sessionNotFound, message)
}

export function tooManySessions(open: number): HttpRejection {
  const message = `${open} sessions are open: end those that are not needed with DELETE, or wait until they expire`
  return new HttpRejection(503, RpcCode.transport, message, { 'Retry-After': '60' })
}

/** Whether a session is open is not known just now. */
export function cannotTell(message: string): HttpRejection {
  return new HttpRejection(503, RpcCode.transport, message, { 'Retry-After': '1' })
}

/** @throws HttpRejection 415 */
export function requireJson(headers: IncomingHttpHeaders): void {
  if (isJson(headers)) return
  const type = JSON.stringify(headers['content-type'] ?? '')
  throw new HttpRejection(415, RpcCode.transport, `Content-Type is ${type}: send application/json`)
}

/** @throws HttpRejection 400 for a legacy revision that is not spoken here */
export function requireVersion(headers: IncomingHttpHeaders, revisions: Revisions): void {
  const message = versionRefusal(versionOf(headers), revisions)
  if (message !== undefined) throw new HttpRejection(400, RpcCode.transport, message)
}

/** @throws HttpRejection 400 for a batch where the revision has none, an empty or an oversized one */
export function requireBatchAllowed(
  messages: unknown[],
  headers: IncomingHttpHeaders,
  session: HttpSession | undefined,
): void {
  const refusal = batchRefusal(messages.length, versionOf(headers) ?? session?.version)
  if (refusal !== undefined) throw invalidRequest(refusal)
}

/** @throws HttpRejection 400 for an `initialize` in a batch or in a session */
export function requireLoneInitialize(messages: unknown[], session: HttpSession | undefined): void {
  if (!messages.some(isInitialize)) return
  if (messages.length > 1) throw invalidRequest('initialize may not stand in a batch')
  if (session === undefined) return
  throw invalidRequest('the session is initialized already: leave Mcp-Session-Id out for a new one')
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

/** Which of the two answer forms the caller takes; no Accept header takes both. */
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
