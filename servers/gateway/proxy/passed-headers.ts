import type { IncomingHttpHeaders } from 'node:http'

/** What of an upstream's headers a caller gets to see: no cookie, and nothing about one connection or one encoding. */
const PASSED = [
  'mcp-session-id',
  'mcp-protocol-version',
  'retry-after',
  'allow',
  'traceresponse',
  'x-understudy-instance',
  'x-understudy-entry',
] as const

export function passedHeaders(headers: IncomingHttpHeaders): Record<string, string> {
  const passed: Record<string, string> = {}
  for (const name of PASSED) {
    const value = headers[name]
    if (value !== undefined) passed[name] = String(value)
  }
  return passed
}
