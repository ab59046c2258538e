import type { Dice } from '../history/dice.js'
import { asSchema, JsonValues } from './json-values.js'
import type { Listener, Operation, Target } from './target.js'

/** A request as bytes. */
export interface HttpRequest {
  listener: Listener
  bytes: Buffer
  /** The method and the path that were meant, for the report. */
  about: string
  /** Whether the server has all it needs for an answer. */
  complete: boolean
  /** Whether an HTML page may answer. */
  html: boolean
}

const METHODS = 'GET POST PUT DELETE PATCH HEAD OPTIONS TRACE CONNECT BREW'.split(' ')
const JSON_TYPE = 'application/json'
const TYPES = [`${JSON_TYPE}; charset=latin1`, 'text/plain', 'multipart/form-data', '']
const BOTH = `${JSON_TYPE}, text/event-stream`
const ACCEPTS = ['text/event-stream', '*/*', 'text/html', 'x', '']
const RPC_METHODS =
  'initialize ping tools/list server/discover resources/list notifications/cancelled __proto__'.split(' ')
const VERSIONS = '2025-11-25 2025-06-18 2024-11-05 2026-07-28 x'.split(' ')
/** Lines that no head should have, or that say something about the message which is not so. */
const BAD_LINES = `Content-Length: 5
Content-Length: -1
Content-Length: 1e3
Content-Length: 99999999999999999999
: empty
No colon
 folded: yes
Transfer-Encoding: gzip
Transfer-Encoding: chunked, chunked
Expect: 100-continue
Expect: x
Connection: Upgrade, HTTP2-Settings
Upgrade: websocket
Host: second.example
X-Nul: a\0b
Content-Encoding: gzip
Last-Event-ID: 1`.split('\n')

/** Makes the request of a listener that this dice chooses. */
export function httpRequest(dice: Dice, target: Target): HttpRequest {
  const listener = dice.pick(target.listeners)
  const values = new JsonValues(dice, target.words)
  const operation = dice.pick(listener.operations)
  const method = dice.percent(88) ? operation.method : dice.pick(METHODS)
  const path = dice.percent(95) ? pathOf(operation, values) : `/${encoded(values.text())}`
  const body = bodyOf(dice, listener, operation, values)
  const lines = [
    `${method} ${path} HTTP/1.${dice.percent(97) ? 1 : 0}`,
    ...headers(dice, listener, target, values),
  ]
  const { head, framed, complete } = framing(dice, method === 'GET' && body === '' ? undefined : body)
  const text = [...lines, ...head].join('\r\n')
  const bytes = Buffer.concat([Buffer.from(`${text}\r\n\r\n`, 'latin1'), framed])
  const cut = dice.percent(4) ? dice.below(bytes.length) : bytes.length
  return {
    listener,
    bytes: bytes.subarray(0, cut),
    about: `${method} ${path.slice(0, 100)}`,
    complete: complete && cut === bytes.length,
    html: operation.html,
  }
}

function pathOf({ path, query }: Operation, values: JsonValues): string {
  const filled = path.replace(/\{[^}]+\}/g, () => encoded(values.text()))
  const given = query.filter(() => values.dice.percent(50))
  const pairs = given.map(name => `${name}=${encoded(String(values.any(5)))}`)
  return pairs.length === 0 ? filled : `${filled}?${pairs.join('&')}`
}

/** For a URL, and short enough for a head. A lone surrogate becomes U+FFFD. */
function encoded(text: string): string {
  return encodeURIComponent(Buffer.from(text.slice(0, 1000)).toString())
}

function bodyOf(dice: Dice, { document }: Listener, operation: Operation, values: JsonValues): string {
  if (operation.tools !== undefined) return spoilt(dice, JSON.stringify(rpc(dice, operation.tools, values)))
  if (operation.body === undefined && dice.percent(80)) return ''
  return spoilt(dice, JSON.stringify(values.of(operation.body, document)) ?? '')
}

function rpc(dice: Dice, tools: Record<string, unknown>, values: JsonValues): unknown {
  const method = dice.percent(70) ? 'tools/call' : dice.percent(80) ? dice.pick(RPC_METHODS) : values.text()
  const name = dice.percent(92) ? dice.pick(Object.keys(tools)) : values.text()
  const args = values.of(tools[name], asSchema(tools[name]))
  const version = {
    protocolVersion: dice.pick(VERSIONS),
    capabilities: {},
    clientInfo: { name: 'fuzz', version: '1' },
  }
  const params =
    method === 'tools/call' ? { name, arguments: args } : method === 'initialize' ? version : values.any(2)
  const message = {
    jsonrpc: dice.percent(97) ? '2.0' : values.any(),
    id: dice.percent(90) ? 1 : values.any(3),
    method,
    params,
  }
  if (dice.percent(4)) return [message, message, values.any()]
  return dice.percent(4) ? values.any() : message
}

function spoilt(dice: Dice, text: string): string {
  if (dice.percent(88)) return text
  const at = dice.below(text.length + 1)
  return (
    text.slice(0, at) +
    dice.pick(['', '\0', '"', ',{', '\ufeff', '\\u', 'x'.repeat(100), '1e999']) +
    text.slice(at + dice.below(3))
  )
}

function headers(dice: Dice, { port, bearers }: Listener, target: Target, values: JsonValues): string[] {
  const lines = [`Host: ${dice.percent(96) ? `127.0.0.1:${port}` : values.text().slice(0, 300)}`]
  const maybe = (percent: number, line: () => string) => dice.percent(percent) && lines.push(line())
  maybe(95, () => `Content-Type: ${dice.percent(90) ? JSON_TYPE : dice.pick(TYPES)}`)
  maybe(95, () => `Accept: ${dice.percent(85) ? BOTH : dice.pick(ACCEPTS)}`)
  // An address of its own, or the limits on requests of one address would answer nearly everything.
  maybe(90, () => `X-Forwarded-For: 10.${dice.below(256)}.${dice.below(256)}.${dice.below(256)}`)
  maybe(
    70,
    () => `Authorization: ${dice.percent(90) ? `Bearer ${dice.pick(bearers)}` : values.text().slice(0, 300)}`,
  )
  maybe(20, () => `Mcp-Session-Id: ${dice.pick([...target.sessions, values.text().slice(0, 300)])}`)
  maybe(20, () => `MCP-Protocol-Version: ${dice.pick(VERSIONS)}`)
  maybe(20, () => `X-Safebot-Handle: ${values.text().slice(0, 300)}`)
  maybe(4, () => `Origin: ${values.text().slice(0, 300)}`)
  maybe(4, () => dice.pick(BAD_LINES))
  maybe(2, () => `X-Huge: ${'x'.repeat(dice.pick([8_000, 17_000, 100_000]))}`)
  maybe(1, () => Array.from({ length: 3_000 }, (_, n) => `X-${n}: 1`).join('\r\n'))
  maybe(75, () => 'Connection: close')
  // A header is one line of Latin-1, but for those that are meant not to be.
  return lines.map((line, at) => (at > 0 && dice.percent(1) ? line : line.replace(/[\0]/g, '?')))
}

function framing(
  dice: Dice,
  body: string | undefined,
): { head: string[]; framed: Buffer; complete: boolean } {
  if (body === undefined) return { head: [], framed: Buffer.alloc(0), complete: true }
  const bytes = Buffer.from(body)
  const fate = dice.below(100)
  if (fate < 85) return { head: [`Content-Length: ${bytes.length}`], framed: bytes, complete: true }
  if (fate < 88)
    return { head: [`Content-Length: ${bytes.length + 1 + dice.below(50)}`], framed: bytes, complete: false }
  if (fate < 90)
    return { head: [`Content-Length: ${dice.below(bytes.length + 1)}`], framed: bytes, complete: true }
  const chunks = [`${bytes.length.toString(16)}\r\n`, bytes, '\r\n0\r\n\r\n']
  const bad = [
    'zz\r\nabc\r\n',
    '5\r\nabc\r\n0\r\n\r\n',
    'fffffffffffffff\r\n',
    '-1\r\n',
    `1;${'x'.repeat(20_000)}\r\na\r\n0\r\n\r\n`,
  ]
  const sent = fate < 95 ? chunks : [dice.pick(bad)]
  const framed = Buffer.concat(sent.map(part => Buffer.from(part)))
  return { head: ['Transfer-Encoding: chunked'], framed, complete: fate < 95 }
}
