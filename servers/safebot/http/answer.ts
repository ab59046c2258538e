import { hash } from 'node:crypto'
import type { HttpAnswer } from '../../../shared/http/routes.js'

/** Headers of every answer, event streams included. The values are the service's. */
export const SECURITY_HEADERS = {
  'X-Content-Type-Options': 'nosniff',
  'Referrer-Policy': 'no-referrer',
  'X-Frame-Options': 'DENY',
  'Permissions-Policy': 'clipboard-read=(self), clipboard-write=(self)',
  'Content-Security-Policy': [
    "default-src 'self'",
    "script-src 'self' 'unsafe-inline'",
    "style-src 'self' 'unsafe-inline' https://fonts.googleapis.com",
    "font-src 'self' https://fonts.gstatic.com",
    "img-src 'self' data:",
    "connect-src 'self' ws: wss:",
    "frame-ancestors 'none'",
  ].join('; '),
}

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
export function encoded(text: string, headers: Record<string, string> = {}): HttpAnswer {
  return {
    status: 200,
    headers: { 'Content-Type': 'application/json; charset=utf-8', ETag: entityTag(text), ...headers },
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
