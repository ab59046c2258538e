import type { Route } from '../../../shared/http/routes.js'
import { siteUrl } from '../domain/links.js'
import type { Readiness } from '../domain/readiness.js'
import { answer, emptyAnswer, textAnswer } from './answer.js'

/** Where the addresses that people type in lead: the pages are on the service's own site. */
const PAGES = { '/': '/', '/start': '/start', '/dashboard': '/dashboard.html', '/pricing': '/pricing.html' }

/** What `GET /llms.txt` says. */
export const FOR_MODELS = `# Instanode (a local stand-in)

Postgres databases and webhook receivers for agents. Without an account: 5 a day, each for 24 hours.

POST /db/new {"name":"..."}            a database: connection_url
POST /webhook/new {"name":"..."}       a receiver: receive_url takes deliveries, GET reads them back
GET /api/me/resources                  what the account owns (Authorization: Bearer TOKEN)
POST /api/me/claim {"token":"..."}     makes the account the owner
DELETE /api/me/resources/TOKEN         ends one; paid accounts only
GET /api/me/token                      mints a token for the account
GET /openapi.json                      all of it`

/** What is there for people and models: the way to the site, and a page of text. */
export function siteRoutes(): Route[] {
  const redirects = Object.entries(PAGES).map(
    ([path, page]): Route => ({
      method: 'GET',
      path,
      run: async ({ search }) =>
        emptyAnswer(302, { Location: `${siteUrl(page)}${search === '' ? '' : `?${search}`}` }),
    }),
  )
  return [...redirects, { method: 'GET', path: '/llms.txt', run: async () => textAnswer(200, FOR_MODELS) }]
}

/** `GET /healthz`: there is a process. `GET /readyz`: it could do its work. */
export function healthRoutes(readiness: Readiness): Route[] {
  return [
    {
      method: 'GET',
      path: '/healthz',
      async run() {
        return answer(200, { ok: true, service: 'instant-lite' })
      },
    },
    {
      method: 'GET',
      path: '/readyz',
      async run() {
        const checks = await readiness.check()
        const bad = Object.entries(checks).find(([, check]) => check !== 'ok')
        if (bad === undefined) return answer(200, { checks, ok: true })
        return answer(503, { checks, error: bad.join('_'), ok: false })
      },
    },
  ]
}
