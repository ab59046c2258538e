import type { HttpAnswer } from '../http/routes.js'
import { VERSION } from '../version.js'
import { text } from './answers.js'
import type { OperationDescription } from './operation.js'

/** What somebody finds who comes to the control plane without knowing it: what it is, and what may be asked of it. */
export function routeList(operations: readonly OperationDescription[], instance: string): HttpAnswer {
  const lines = operations.map(
    ({ method, path, summary }) => `${method.padEnd(7)}${path.padEnd(26)}${summary}`,
  )
  const title = `${instance}: the control plane of mcp-understudy ${VERSION}`
  return text(200, 'text/plain; charset=utf-8', `${title}\n\n${lines.join('\n')}\n`)
}
