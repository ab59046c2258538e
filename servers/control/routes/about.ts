import type { Response } from 'express'
import { sendJson, sendText } from '../../../shared/http/answers.js'
import { checkedOperation } from '../../../shared/http/checked-operation.js'
import type { Operation } from '../../../shared/http/operation.js'
import { VERSION } from '../../../shared/util/version.js'
import type { Controlled } from '../controlled.js'
import { sendPage } from '../page-files.js'
import { probeAll, storeChecks } from '../readiness.js'
import { errorAnswer, healthAnswer, notReadyAnswer, readyAnswer } from '../schemas/health.js'

/** The meaning of each HTTP status, for the OpenAPI document. */
const MEANINGS: Readonly<Record<number, string>> = {
  400: 'The request is invalid, or names something that does not exist',
  404: 'The path names something that does not exist',
  408: 'The expected requests did not arrive in time. The message names the nearest miss',
  409: 'The request conflicts with the current state',
  413: 'The body is too large',
  503: 'The request cannot be carried out now. A later attempt can succeed',
}

export interface AboutOptions {
  controlled: Controlled<unknown>
  /** The URL of the control plane. */
  url: string
  /** Returns all operations of the control plane, including the operations of this file. */
  all(): readonly Operation[]
}

/** Returns the routes about the instance itself: health, readiness, metrics and the list of routes. */
export function aboutRoutes({ controlled, url, all }: AboutOptions): Operation[] {
  const { instance, instanode, safebot } = controlled
  const { store: database, machine } = instance
  const store = database && { checks: () => storeChecks(database, machine) }
  const description = {
    info: {
      title: 'The control plane of mcp-understudy',
      version: VERSION,
      description: 'Controls the stand-ins: clock, journal, faults, overlays, state and snapshots.',
    },
    url,
    error: errorAnswer,
    meanings: MEANINGS,
  }
  let document: Promise<object> | undefined
  return [
    checkedOperation({
      method: 'GET',
      path: '/',
      summary: 'This list of routes. A browser gets a page that shows the instance instead',
      answer: 'text/html',
      // Only browsers ask for HTML in their `Accept` header.
      run: ({ request, response }) =>
        request.headers.accept?.includes('text/html')
          ? sendPage(response)
          : sendRoutes(response, all(), instance.name),
    }),
    checkedOperation({
      method: 'GET',
      path: '/healthz',
      summary: 'Check that the process runs',
      answer: healthAnswer,
      run: () => ({ status: 'ok', version: VERSION, instance: instance.name }) as const,
    }),
    checkedOperation({
      method: 'GET',
      path: '/readyz',
      summary: 'Check that every server can answer a call. The check adds nothing to the journal',
      answer: readyAnswer,
      others: { 503: notReadyAnswer },
      async run({ response }) {
        const { checks, failed } = await probeAll(instance.machine, { instanode, safebot, store })
        if (failed.length === 0) return { ready: true as const, checks }
        const error = { code: 'not_ready', message: failed.join('; '), hint: 'see the log for details' }
        return sendJson(response, 503, { ready: false, checks, error })
      },
    }),
    checkedOperation({
      method: 'GET',
      path: '/metrics',
      summary: 'Metrics for Prometheus',
      answer: 'text/plain',
      async run({ response }) {
        const { renderMetrics } = await import('../metrics.js')
        const metrics = await renderMetrics(controlled)
        return sendText(response, 200, 'text/plain; version=0.0.4; charset=utf-8', metrics)
      },
    }),
    checkedOperation({
      method: 'GET',
      path: '/openapi.json',
      summary: 'The OpenAPI document of the control plane',
      answer: 'application/json',
      run() {
        document ??= import('../../../shared/http/openapi.js').then(({ openApi }) =>
          openApi(all(), description),
        )
        return document
      },
    }),
  ]
}

/** Sends the list of routes as plain text. */
function sendRoutes(response: Response, operations: readonly Operation[], instance: string): undefined {
  const lines = operations
    .filter(({ hidden }) => !hidden)
    .map(({ method, path, summary }) => `${method.padEnd(7)}${path.padEnd(26)}${summary}`)
  const title = `${instance}: the control plane of mcp-understudy ${VERSION}`
  sendText(response, 200, 'text/plain; charset=utf-8', `${title}\n\n${lines.join('\n')}\n`)
}
