import type { Fault } from '../../../shared/faults/fault.js'
import type { Outcome } from '../../../shared/journal/outcome.js'
import type { Overlay } from '../../../shared/overlays/overlay.js'

/** Maximum number of rooms, databases, receivers or tools that are shown. */
export const MAX_SHOWN = 20

/** Returns the outcome of a call in words. Null: the call has not ended. */
export function outcomeInWords(outcome: Outcome | null): string {
  return outcome === null ? 'in progress' : outcome.replace('_', ' ')
}

/** Formats a size: `850 B`, `3.1 kB`, `10 MB`. A kB has 1024 bytes, as in the limits of resources. */
export function bytesInWords(bytes: number): string {
  if (bytes < 1024) return `${bytes} B`
  const [unit, size] = bytes < 1024 * 1024 ? ['kB', bytes / 1024] : ['MB', bytes / 1024 / 1024]
  return `${size < 10 ? size.toFixed(1) : Math.round(size)} ${unit}`
}

/**
 * Formats the duration of a call: `0.4 ms`, `38 ms`, `1.2 s`. Returns a dash for a call that has not ended.
 */
export function durationInWords(ms: number | null): string {
  if (ms === null) return '–'
  if (ms < 1000) return `${ms < 10 ? ms.toFixed(1) : Math.round(ms)} ms`
  return `${(ms / 1000).toFixed(ms < 10_000 ? 1 : 0)} s`
}

/** Formats a remaining time with its two largest units: `23 h 59 min`, `42 s`. */
export function leftInWords(ms: number): string {
  const seconds = Math.ceil(ms / 1000)
  if (seconds <= 0) return 'now'
  const [days, hours, minutes] = [86_400, 3600, 60].map(unit => Math.floor(seconds / unit))
  if (days) return joined([days, 'd'], [(hours ?? 0) % 24, 'h'])
  if (hours) return joined([hours, 'h'], [(minutes ?? 0) % 60, 'min'])
  return minutes ? joined([minutes, 'min'], [seconds % 60, 's']) : `${seconds} s`
}

/** Formats an instant as `12:34:56` in UTC. @param instant ISO 8601, or milliseconds since the epoch */
export function timeOfDay(instant: string | number): string {
  return dayAndTime(instant).slice(11)
}

/** Formats an instant as `2026-01-01 12:34:56` in UTC. @param instant as for {@link timeOfDay} */
export function dayAndTime(instant: string | number): string {
  return new Date(instant).toISOString().slice(0, 19).replace('T', ' ')
}

export function counted(count: number, one: string, many = `${one}s`): string {
  return `${count.toLocaleString('en')} ${count === 1 ? one : many}`
}

function joined(...parts: [number, string][]): string {
  return parts.flatMap(([count, unit]) => (count === 0 ? [] : [`${count} ${unit}`])).join(' ')
}

/**
 * Formats a count: `3 rooms`, or `20 of 3,000 rooms, the latest`.
 *
 * @param which describes the shown items if not all items are shown
 */
export function countOfShown(all: number, one: string, which = 'the latest'): string {
  const many = `${all.toLocaleString('en')} ${all === 1 ? one : `${one}s`}`
  return all <= MAX_SHOWN ? many : `${MAX_SHOWN} of ${many}, ${which}`
}

/**
 * Returns a curl command that calls a tool.
 *
 * @param url the MCP endpoint of the server. Null if the server has no listener. The result is then undefined
 */
export function toolCommand(url: string | null, name: string, args = {}): string | undefined {
  if (url === null) return undefined
  return curl(url, { jsonrpc: '2.0', id: 1, method: 'tools/call', params: { name, arguments: args } })
}

/** Returns a curl command that sends JSON. The JSON has spaces, at which the page can break the line. */
export function curl(url: string, body: unknown, method = 'POST'): string {
  const json = JSON.stringify(body, null, 1).replace(/\n */g, ' ')
  return `curl -s -X ${method} ${url} \\\n  -H 'Content-Type: application/json' \\\n  -d '${json}'`
}

/** Describes the calls that a fault applies to. */
export function whenInWords(when: Fault['when']): string {
  if ('nth' in when) return `on call ${when.nth}`
  if ('first' in when) return when.first === 1 ? 'on the first call' : `on the first ${when.first} calls`
  if ('every' in when) return when.every === 1 ? 'on every call' : `on one call in ${when.every}`
  return 'on every call'
}

/** Describes the effect of a fault or an overlay: its kind and its value. */
export function effectInWords(effect: Fault['do'] | Overlay['do']): string {
  return Object.entries(effect)
    .map(([kind, given]) =>
      given === true ? kind : `${kind} ${typeof given === 'string' ? given : JSON.stringify(given)}`,
    )
    .join(', ')
}
