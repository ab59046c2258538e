import { text } from '../../shared/http/json-answers.js'
import type { OperationDescription } from '../../shared/http/operation.js'
import type { HttpAnswer } from '../../shared/http/routes.js'
import { VERSION } from '../../shared/util/version.js'

/** What somebody finds who comes to the control plane without knowing it: what it is, and what may be asked of it. */
export function routeList(operations: readonly OperationDescription[], instance: string): HttpAnswer {
  const lines = operations.map(
    ({ method, path, summary }) => `${method.padEnd(7)}${path.padEnd(26)}${summary}`,
  )
  const title = `${instance}: the control plane of mcp-understudy ${VERSION}`
  return text(200, 'text/plain; charset=utf-8', `${title}\n\n${lines.join('\n')}\n`)
}
