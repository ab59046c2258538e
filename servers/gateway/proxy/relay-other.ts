import type { ServerResponse } from 'node:http'
import { anonymousError, RpcCode } from '../../../shared/mcp/messages.js'
import { isObject } from '../../../shared/util/is-object.js'
import { withoutHidden } from '../messages.js'
import type { PolicyEngine } from '../policy/model.js'
import type { HttpUpstream, UpstreamAnswer, UpstreamRequest } from './http-upstream.js'
import { readAnswer } from './read-response.js'
import { relayEvents } from './relay-events.js'
import { excerpt, isEventStream, passedHeaders, STREAM, sendJson } from './send-response.js'

/** Passes on a request that carries no message: GET for a stream, DELETE for the end of a session. */
export function relayOther(
  upstream: HttpUpstream,
  request: UpstreamRequest,
  response: ServerResponse,
  engine: Pick<PolicyEngine, 'hides'>,
  answered: (status: number) => void,
): void {
  const fail = (status: number, why: string) => {
    sendJson(response, status, {}, JSON.stringify(anonymousError(RpcCode.transport, why)))
  }
  const sent = upstream.send(request, {
    answer(answer) {
      answered(answer.status)
      if (answer.status < 300 && isEventStream(answer)) stream(answer, response, engine)
      else whole(answer, response, fail)
    },
    fail: why => fail(502, why),
  })
  response.on('close', () => {
    if (!response.writableFinished) sent.abort()
  })
}

function stream(
  { headers, body }: UpstreamAnswer,
  response: ServerResponse,
  engine: Pick<PolicyEngine, 'hides'>,
): void {
  response.writeHead(200, { ...passedHeaders(headers), ...STREAM })
  response.flushHeaders()
  relayEvents(body, response, {
    // An answer that is replayed here may be a list of tools.
    message: message =>
      Array.isArray(message)
        ? message.map(one => withoutHidden(one, engine))
        : withoutHidden(message, engine),
    // A stream that was cut is one that the caller is to open again.
    ended: why => (why === undefined ? response.end() : response.destroy()),
  })
}

function whole(
  { status, headers, body }: UpstreamAnswer,
  response: ServerResponse,
  fail: (status: number, why: string) => void,
): void {
  readAnswer(body, read => {
    if (response.destroyed) return
    if (!read.ok) fail(502, `the upstream ${read.why}`)
    else if (status === 401 || status === 407) {
      fail(502, `the upstream did not take this gateway's credential (HTTP ${status})`)
    } else if (status < 300) response.writeHead(status, passedHeaders(headers)).end()
    else if (isErrorMessage(read.text)) sendJson(response, status, passedHeaders(headers), read.text)
    else fail(status, `the upstream answered HTTP ${status}${excerpt(read.text)}`)
  })
}

function isErrorMessage(text: string): boolean {
  try {
    const message: unknown = JSON.parse(text)
    return isObject(message) && isObject(message.error)
  } catch {
    return false
  }
}
