import type { FaultAction } from './fault.js'

/** What is done to an answer on its way out: how, depends on what it goes out by. */
export type Garbling =
  /** The connection is cut instead. */
  | { kind: 'drop' }
  /** HTTP answers with this instead. */
  | { kind: 'status'; status: number; body: string; type: string }
  /** What was promised to be JSON is none. */
  | { kind: 'json' }
  /** The frame around the message is broken. */
  | { kind: 'sse' }
  /** The connection is cut in the middle. */
  | { kind: 'truncated' }
  /** Compressed, whatever the caller takes. */
  | { kind: 'gzip' }

/** What a fault does to the answer on its way out; undefined for one that leaves that alone. */
export function garblingOf(act: FaultAction): Garbling | undefined {
  if ('drop' in act) return { kind: 'drop' }
  if ('malformed' in act) return { kind: act.malformed }
  if ('gzip' in act) return { kind: 'gzip' }
  if (!('httpStatus' in act)) return undefined
  const { httpStatus, body = '' } = act
  return typeof body === 'string'
    ? { kind: 'status', status: httpStatus, body, type: 'text/plain; charset=utf-8' }
    : { kind: 'status', status: httpStatus, body: JSON.stringify(body), type: 'application/json' }
}

/** Not JSON for any reader, however lenient. */
export function notJson(json: string): string {
  return `{${json}`
}

/** Cut in two; a message in JSON has no line break in it. */
export function halves(text: string): [string, string] {
  const middle = Math.floor(text.length / 2)
  return [text.slice(0, middle), text.slice(middle)]
}
