import { readFile } from 'node:fs/promises'
import type { Response } from 'express'
import { sendText } from '../../shared/http/answers.js'
import { checkedOperation } from '../../shared/http/checked-operation.js'
import type { Operation } from '../../shared/http/operation.js'
import { compiled } from '../../shared/util/compiled.js'

/** Allows only files of this server. Forbids inline scripts, other hosts, and the use of text as markup. */
const POLICY = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "img-src 'self'",
  "connect-src 'self'",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
  "require-trusted-types-for 'script'",
  "trusted-types 'none'",
].join('; ')

const HEADERS = {
  'Content-Security-Policy': POLICY,
  'Cross-Origin-Opener-Policy': 'same-origin',
  'Cross-Origin-Resource-Policy': 'same-origin',
  'Referrer-Policy': 'no-referrer',
}

/** The files of the page by name, with their media types. The build creates them. */
const FILES = {
  'page.css': 'text/css; charset=utf-8',
  'page.js': 'text/javascript; charset=utf-8',
  'icon.svg': 'image/svg+xml',
} as const

/** Sends the page itself. */
export function sendPage(response: Response): Promise<undefined> {
  return sendFile(response, 'page.html', 'text/html; charset=utf-8')
}

/**
 * Returns the routes of the page's files. They are not in the list of routes, because no other client needs
 * them.
 */
export function pageRoutes(): Operation[] {
  return Object.entries(FILES).map(([name, type]) =>
    checkedOperation({
      method: 'GET',
      path: `/page/${name}`,
      summary: 'A file of the page',
      answer: type,
      hidden: true,
      run: ({ response }) => sendFile(response, name, type),
    }),
  )
}

async function sendFile(response: Response, name: string, type: string): Promise<undefined> {
  const text = await readFile(compiled(`../page/${name}`, import.meta.url), 'utf8')
  response.set(HEADERS)
  sendText(response, 200, type, text)
}
