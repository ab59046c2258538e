import { readFile } from 'node:fs/promises'
import { text } from '../../shared/http/json-answers.js'
import type { HttpAnswer, Route } from '../../shared/http/routes.js'
import { compiled } from '../../shared/util/compiled.js'

/** Nothing but what this server gives: no script of its own in the page, no other host, no text that becomes markup. */
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

/** What the page is made of, as the build leaves it, by media type. */
const FILES = {
  'page.css': 'text/css; charset=utf-8',
  'page.js': 'text/javascript; charset=utf-8',
  'icon.svg': 'image/svg+xml',
} as const

/** The page itself. */
export function pageAnswer(): Promise<HttpAnswer> {
  return fileAnswer('page.html', 'text/html; charset=utf-8')
}

/** What the page asks for: nobody else has a use for it, so no list of routes names it. */
export function pageRoutes(): Route[] {
  return Object.entries(FILES).map(([name, type]) => ({
    method: 'GET',
    path: `/page/${name}`,
    run: () => fileAnswer(name, type),
  }))
}

async function fileAnswer(name: string, type: string): Promise<HttpAnswer> {
  return text(200, type, await readFile(compiled(`../page/${name}`, import.meta.url), 'utf8'), HEADERS)
}
