import { hash } from 'node:crypto'
import type { HttpAnswer } from '../../../shared/http/routes.js'

/** A JSON answer as the service's framework writes it, its weak entity tag included. */
export function answer(
  status: number,
  body: unknown,
  headers: Record<string, string | number> = {},
): HttpAnswer {
  const { headers: own, body: text } = encoded(JSON.stringify(body))
  return { status, headers: { ...own, ...headers }, body: text }
}

/** A JSON answer that all is well, of JSON that is written already. */
export function encoded(text: string): HttpAnswer {
  return {
    status: 200,
    headers: { 'Content-Type': 'application/json; charset=utf-8', ETag: entityTag(text) },
    body: text,
  }
}

/** A page that says one thing, as the service's framework writes it. */
export function textAnswer(status: number, text: string): HttpAnswer {
  const escaped = text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;')
  return {
    status,
    headers: { 'Content-Type': 'text/html; charset=utf-8' },
    body: `<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n<title>Error</title>\n</head>\n<body>\n<pre>${escaped}</pre>\n</body>\n</html>\n`,
  }
}

function entityTag(text: string): string {
  const digest = hash('sha1', text, 'base64').slice(0, 27)
  return `W/"${Buffer.byteLength(text).toString(16)}-${digest}"`
}
