import { json, text } from '../../../shared/http/json-answers.js'
import {
  type Operation,
  type OperationDescription,
  operation,
  rawOperation,
} from '../../../shared/http/operation.js'
import type { HttpAnswer } from '../../../shared/http/routes.js'
import { VERSION } from '../../../shared/util/version.js'
import type { Controlled } from '../controlled.js'
import { pageAnswer } from '../page-files.js'
import { probeAll, storeChecks } from '../readiness.js'
import { healthAnswer, notReadyAnswer, readyAnswer } from '../schemas/health.js'

export interface AboutOptions {
  controlled: Controlled<unknown>
  /** Of the control plane. */
  url: string
  /** Every operation there is, these included. */
  all(): readonly OperationDescription[]
}

/** The instance itself: is it there, could it work, how is it doing, what may be asked of it. */
export function aboutRoutes({ controlled, url, all }: AboutOptions): Operation[] {
  const { instance, instanode, safebot } = controlled
  const { store: database, machine } = instance
  const store = database && { checks: () => storeChecks(database, machine) }
  let described: Promise<string> | undefined
  return [
    rawOperation({
      method: 'GET',
      path: '/',
      summary: 'What there is: this list, or in a browser a page on which to watch it',
      answer: 'text/html',
      // A browser says that it takes HTML, and nothing else does.
      run: async (_, { headers }) =>
        headers.accept?.includes('text/html') ? pageAnswer() : routeList(all(), instance.name),
    }),
    operation({
      method: 'GET',
      path: '/healthz',
      summary: 'Is there a process?',
      answer: healthAnswer,
      run: () => ({ status: 'ok', version: VERSION, instance: instance.name }) as const,
    }),
    rawOperation({
      method: 'GET',
      path: '/readyz',
      summary: 'Could every server answer a call? Each is made to, and no journal hears of it',
      answer: readyAnswer,
      others: { 503: notReadyAnswer },
      async run() {
        const { checks, failed } = await probeAll(instance.machine, { instanode, safebot, store })
        if (failed.length === 0) return json(200, { ready: true, checks })
        const error = { code: 'not_ready', message: failed.join('; '), hint: 'the log says more' }
        return json(503, { ready: false, checks, error })
      },
    }),
    rawOperation({
      method: 'GET',
      path: '/metrics',
      summary: 'Figures for Prometheus',
      answer: 'text/plain',
      async run() {
        const { exposed } = await import('../metrics.js')
        return text(200, 'text/plain; version=0.0.4; charset=utf-8', await exposed(controlled))
      },
    }),
    rawOperation({
      method: 'GET',
      path: '/openapi.json',
      summary: 'This document',
      answer: 'application/json',
      async run() {
        described ??= import('../openapi.js').then(({ openApi }) => JSON.stringify(openApi(all(), url)))
        return text(200, 'application/json; charset=utf-8', `${await described}\n`)
      },
    }),
  ]
}

/** What somebody finds who comes to the control plane without knowing it: what it is, and what may be asked of it. */
function routeList(operations: readonly OperationDescription[], instance: string): HttpAnswer {
  const lines = operations.map(
    ({ method, path, summary }) => `${method.padEnd(7)}${path.padEnd(26)}${summary}`,
  )
  const title = `${instance}: the control plane of mcp-understudy ${VERSION}`
  return text(200, 'text/plain; charset=utf-8', `${title}\n\n${lines.join('\n')}\n`)
}
