import type { HttpAnswer } from '../http/routes.js'
import { VERSION } from '../version.js'
import { text } from './answers.js'
import type { OperationDescription } from './operation.js'

/**
 * What somebody finds who comes to the control plane without knowing it: what it is, and what may be asked of it.
 *
 * @param accept what the caller takes: a browser gets links, anything else plain text
 */
export function front(
  operations: readonly OperationDescription[],
  instance: string,
  accept: string | undefined,
): HttpAnswer {
  const title = `${instance}: the control plane of mcp-understudy ${VERSION}`
  const html = accept?.includes('text/html') === true
  return html
    ? text(200, 'text/html; charset=utf-8', page(title, operations))
    : text(200, 'text/plain; charset=utf-8', plain(title, operations))
}

function plain(title: string, operations: readonly OperationDescription[]): string {
  const lines = operations.map(
    ({ method, path, summary }) => `${method.padEnd(7)}${path.padEnd(26)}${summary}`,
  )
  return `${title}\n\n${lines.join('\n')}\n`
}

function page(title: string, operations: readonly OperationDescription[]): string {
  const rows = operations.map(({ method, path, summary }) => {
    const name = method === 'GET' ? `<a href="${path}">${path}</a>` : path
    return `<tr><td>${method}</td><td>${name}</td><td>${escaped(summary)}</td></tr>`
  })
  return [
    '<!doctype html><html lang="en"><head><meta charset="utf-8">',
    '<meta name="viewport" content="width=device-width"><meta name="color-scheme" content="light dark">',
    `<title>${escaped(title)}</title><style>body{font-family:system-ui;margin:2rem}td{padding:0 1rem .3rem 0}</style>`,
    `</head><body><h1>${escaped(title)}</h1><table>`,
    ...rows,
    '</table></body></html>\n',
  ].join('\n')
}

function escaped(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;')
}
