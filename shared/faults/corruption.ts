import type { FaultAction } from './fault.js'

/** A change to an outgoing answer. Each transport applies it in its own way. */
export type Corruption =
  /** The connection is cut instead. */
  | { kind: 'drop' }
  /** HTTP answers with this instead. */
  | { kind: 'status'; status: number; body: string; type: string }
  /** This instead, to the byte. `settled`: it has a status or headers, and is for HTTP alone. */
  | { kind: 'raw'; settled: boolean; status: number; headers: Readonly<Record<string, string>>; body: string }
  /** The JSON is broken. */
  | { kind: 'json' }
  /** The frame around the message is broken. */
  | { kind: 'sse' }
  /** The connection is cut in the middle. */
  | { kind: 'truncated' }
  /** Compressed, whatever the caller takes. */
  | { kind: 'gzip' }

/**
 * Returns the corruption that a fault applies to the outgoing answer. Undefined if it applies none.
 *
 * @param id of the request
 */
export function corruptionOf(act: FaultAction, id: string | number): Corruption | undefined {
  if ('drop' in act) return { kind: 'drop' }
  if ('malformed' in act) return { kind: act.malformed }
  if ('gzip' in act) return { kind: 'gzip' }
  if ('raw' in act) {
    const { status = 200, headers = {} } = act.raw
    const settled = act.raw.status !== undefined || act.raw.headers !== undefined
    return { kind: 'raw', settled, status, headers, body: rawBodyOf(act.raw.body, id) }
  }
  if (!('httpStatus' in act)) return undefined
  const { httpStatus, body = '' } = act
  return typeof body === 'string'
    ? { kind: 'status', status: httpStatus, body, type: 'text/plain; charset=utf-8' }
    : { kind: 'status', status: httpStatus, body: JSON.stringify(body), type: 'application/json' }
}

/** A raw body under the id of a request. */
export function rawBodyOf(body: string, id: string | number): string {
  return body.replaceAll('{{id}}', () => JSON.stringify(id))
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
