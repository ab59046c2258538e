import { Framer, readCstring } from '#built/servers/instanode/databases/embedded/wire/frames.js'
import { isJsonText } from '#built/servers/instanode/http/body.js'
import type { HttpRequest } from './http-heads.js'
import type { PostgresRequest } from './postgres-frames.js'
import { SECRETS } from './target.js'

/** A frame of a stack trace, in text or in JSON. No part of it may backtrack: answers have megabytes. */
const STACK = /(?:\n|\\n) {2,8}at [^\n]{1,300}?:\d+:\d+|node:internal\/|node_modules\/|\.[jt]s:\d+:\d+/

/** SQLSTATEs that no client can bring about for others: an internal error, a lost file, and an engine that was ended. */
const BROKEN = /^(XX...|58...|57P0[12])$/

/** First byte of what a server says about TLS that is broken. */
const TLS_ALERT = 21

/** Finds what must be in no answer and in no log. */
export function leaks(text: string, secrets: readonly string[]): string[] {
  const stack = STACK.exec(text)
  return [
    ...(stack === null ? [] : [`a stack trace: ${excerpt(text, stack.index)}`]),
    ...secrets
      .filter(secret => text.includes(secret))
      .map(secret => `a secret: ${excerpt(text, text.indexOf(secret))}`),
  ]
}

/** Finds what is wrong with the bytes that answer an HTTP request. No answer at all is for the caller to judge. */
export function checkHttp(request: HttpRequest, bytes: Buffer): string[] {
  const text = bytes.toString('latin1')
  const found = leaks(text, SECRETS)
  const [, status] = /^HTTP\/1\.1 (\d{3})/.exec(text) ?? []
  if (status === undefined) return text === '' ? found : [...found, `no HTTP: ${excerpt(text, 0)}`]
  const [head = '', body = ''] = split(text)
  if (status.startsWith('5') && status !== '503') found.push(`status ${excerpt(text, 0)}`)
  if (/^content-type: text\/html/im.test(head) && !mayBeHtml(request, status, body))
    found.push(`HTML: ${excerpt(text, 0)}`)
  const [, length] = /^content-length: (\d+)/im.exec(head) ?? []
  const whole = Number(length) > 0 && body.length >= Number(length)
  if (whole && /^content-type: application\/json/im.test(head) && !isJsonText(body.slice(0, Number(length))))
    found.push(`no JSON: ${excerpt(text, 0)}`)
  return found
}

/** Finds what is wrong with the bytes that a PostgreSQL client got. */
export function checkPostgres({ afterLogin }: PostgresRequest, bytes: Buffer): string[] {
  const text = bytes.toString('latin1')
  const found = leaks(text, SECRETS)
  // A question about encryption is answered with one byte.
  const at = afterLogin ? 0 : text.search(/[^SN]|$/)
  if (text.charCodeAt(at) === TLS_ALERT) return found
  try {
    for (const { type, bytes: message } of new Framer(bytes.length + 1).push(bytes.subarray(at)))
      if (type === 'E') {
        const [, state = ''] = /\0C(.....)\0/.exec(message.toString('latin1')) ?? []
        if (BROKEN.test(state))
          found.push(
            `SQLSTATE ${state}: ${readCstring(message, 5).text} ${excerpt(message.toString('latin1'), 0)}`,
          )
      }
  } catch (error) {
    found.push(`no PostgreSQL message: ${error} in ${excerpt(text, 0)}`)
  }
  return found
}

/** Pages, and what Express answers where the real Safebot lets it: an error page, or the methods of a path without a tag. */
function mayBeHtml({ html, listener }: HttpRequest, status: string, body: string): boolean {
  if (html && status === '200') return true
  return listener.name === 'safebot' && (body.includes('<title>Error</title>') || !body.includes('<'))
}

function split(text: string): string[] {
  const at = text.indexOf('\r\n\r\n')
  return at < 0 ? [text] : [text.slice(0, at), text.slice(at + 4)]
}

function excerpt(text: string, at: number): string {
  return JSON.stringify(text.slice(Math.max(0, at - 60), at + 240))
}
