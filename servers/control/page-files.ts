import { readFile } from 'node:fs/promises'
import type { Response } from 'express'
import { sendText } from '../../shared/http/answers.js'
import { checkedOperation } from '../../shared/http/checked-operation.js'
import type { Operation } from '../../shared/http/operation.js'
import { compiled } from '../../shared/util/compiled.js'

/**
 * The content security policy. It allows only files from this server. It forbids inline scripts, other hosts,
 * and scripts that insert text as HTML.
 */
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

/** The names and media types of the page's files. The build creates these files. */
const FILES = {
  'page.css': 'text/css; charset=utf-8',
  'page.js': 'text/javascript; charset=utf-8',
  'icon.svg': 'image/svg+xml',
} as const

/** Sends the HTML file of the page. */
export function sendPage(response: Response): Promise<undefined> {
  return sendFile(response, 'page.html', 'text/html; charset=utf-8')
}

/**
 * Returns the routes of the page's files. `GET /` does not list these routes, because only the page needs
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
