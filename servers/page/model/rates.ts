import type { EntryJson } from '../../../shared/journal/entry.js'
import { OUTCOMES, type Outcome } from '../../../shared/journal/outcome.js'
import { type LoggedCall, nameOf } from './call-log.js'

/** Matches the id in a path. Without their ids, the paths of all rooms are counted together. */
const ID = /(?<=\/(?:rooms|room|me\/resources|webhook\/receive|identity)\/)(?!register$)[^/?\s]+/

/** Number of seconds that a chart shows. */
export const SECONDS = 60

/** The numbers of calls with one name at one server. */
export interface CallRate {
  readonly server: string
  readonly name: string
  /** Number of calls by outcome. Calls that the log no longer keeps do not count. */
  readonly totals: Readonly<Record<Outcome, number>>
  readonly total: number
  /** Number of calls by outcome in each of the last {@link SECONDS} seconds, the oldest first. */
  readonly seconds: readonly Readonly<Record<Outcome, number>>[]
  /** The largest number of calls in one of these seconds. */
  readonly peak: number
}

/**
 * Counts the calls by name, the busiest first. A call is counted when it has ended.
 *
 * @param nowMs machine time in milliseconds
 */
export function ratesOf(calls: readonly LoggedCall[], nowMs: number): CallRate[] {
  const rates = new Map<string, Counting>()
  const thisSecond = Math.floor(nowMs / 1000)
  for (const { entry, wallMs } of calls) {
    if (entry.outcome === null) continue
    const name = rateNameOf(entry)
    const key = `${entry.server} ${name}`
    const counting = rates.get(key) ?? begin(entry.server, name)
    rates.set(key, counting)
    counting.totals[entry.outcome]++
    counting.total++
    const ago = thisSecond - Math.floor(wallMs / 1000)
    const second = counting.seconds[SECONDS - 1 - ago]
    if (second === undefined) continue
    second[entry.outcome]++
    counting.peak = Math.max(counting.peak, sumOf(second))
  }
  return [...rates.values()].sort((one, other) => other.total - one.total)
}

function sumOf(counts: Readonly<Record<Outcome, number>>): number {
  return OUTCOMES.reduce((sum, outcome) => sum + counts[outcome], 0)
}

interface Counting extends CallRate {
  totals: Record<Outcome, number>
  total: number
  seconds: Record<Outcome, number>[]
  peak: number
}

function begin(server: string, name: string): Counting {
  const seconds = Array.from({ length: SECONDS }, none)
  return { server, name, totals: none(), total: 0, seconds, peak: 0 }
}

function none(): Record<Outcome, number> {
  return { ok: 0, tool_error: 0, protocol_error: 0, aborted: 0, fault: 0 }
}

/** Returns the name under which a call is counted: its tool, its method, or its path without the id. */
function rateNameOf(entry: EntryJson): string {
  const name = nameOf(entry)
  return entry.tool === null ? name.replace(ID, '…') : name
}
