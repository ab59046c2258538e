import type { FaultAction } from './fault.js'

/** A change to an outgoing answer. Each transport applies it in its own way. */
export type Corruption =
  /** The connection is cut, and no answer is sent. */
  | { kind: 'drop' }
  /** HTTP sends this status and this body in place of the answer. */
  | { kind: 'status'; status: number; body: string; type: string }
  /**
   * Exactly this body is sent in place of the answer. `settled` is true if the fault sets a status or
   * headers. Only HTTP can send a status and headers.
   */
  | { kind: 'raw'; settled: boolean; status: number; headers: Readonly<Record<string, string>>; body: string }
  /** The JSON of the answer is invalid. */
  | { kind: 'json' }
  /** The frame around the message is invalid. */
  | { kind: 'sse' }
  /** The connection is cut in the middle of the answer. */
  | { kind: 'truncated' }
  /** The answer is compressed, even if the caller does not accept compression. */
  | { kind: 'gzip' }

/**
 * Returns the corruption that a fault applies to the answer. Returns undefined if the fault applies none.
 *
 * @param id the id of the request
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

/** Returns a raw body in which `{{id}}` is replaced by the request id. */
export function rawBodyOf(body: string, id: string | number): string {
  return body.replaceAll('{{id}}', () => JSON.stringify(id))
}

/** Returns a text that no parser accepts as JSON, not even a lenient one. */
export function notJson(json: string): string {
  return `{${json}`
}

/** Splits a text in the middle. */
export function halves(text: string): [string, string] {
  const middle = Math.floor(text.length / 2)
  return [text.slice(0, middle), text.slice(middle)]
}
