import type { OutgoingHttpHeaders, ServerResponse } from 'node:http'
import { gzipSync } from 'node:zlib'
import { type Garbling, halves, notJson } from '../../faults/garbling.js'
import { framed, type SseStream } from '../../http/sse.js'

/** A JSON answer ready to leave: its status, its headers but the length, its body. */
export interface JsonAnswer {
  status: number
  headers: OutgoingHttpHeaders
  body: string
}

/** Sends a JSON answer spoilt. */
export function sendGarbled(
  response: ServerResponse,
  { status, headers, body }: JsonAnswer,
  how: Garbling,
): void {
  const send = (code: number, sent: string | Buffer, more: OutgoingHttpHeaders = {}) => {
    response.writeHead(code, { ...headers, 'Content-Length': Buffer.byteLength(sent), ...more }).end(sent)
  }
  switch (how.kind) {
    case 'drop':
      response.destroy()
      return
    case 'status':
      send(how.status, how.body, { 'Content-Type': how.type })
      return
    case 'json':
      send(status, notJson(body))
      return
    case 'sse':
      // An event where JSON was promised: there is no frame here that could be broken otherwise.
      send(status, framed(body))
      return
    case 'gzip':
      send(status, gzipSync(body), { 'Content-Encoding': 'gzip' })
      return
    case 'truncated':
      response.writeHead(status, { ...headers, 'Content-Length': Buffer.byteLength(body) })
      response.write(halves(body)[0], () => response.destroy())
  }
}

/** Sends the last answer on a stream spoilt, and ends that; compression and another status have begun with it, if at all. */
export function streamGarbled(stream: SseStream, json: string, how: Garbling): void {
  const [first, second] = halves(json)
  if (how.kind === 'drop') stream.cut('')
  else if (how.kind === 'truncated') stream.cut(`event: message\ndata: ${first}`)
  else if (how.kind === 'json') stream.endWith(framed(notJson(json)))
  // The second line lacks its field name: a reader of events passes it over, and has half a message.
  else if (how.kind === 'sse') stream.endWith(framed(`${first}\n${second}`))
  else stream.endWith(framed(json))
}
