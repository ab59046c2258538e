import { shown } from '../util/shown.js'
import type { JournalEntry } from './entry.js'
import { differences, type Expected, fieldOf, matches } from './where.js'

/** `tool "ack_task", outcome "ok"`, or `anything`. */
export function inWords(expected: Expected): string {
  return expected.length === 0
    ? 'anything'
    : expected.map(([field, value]) => `${field} ${shown(value)}`).join(', ')
}

/** One entry as a line: which, whose, what, how it ended. */
export function asLine({ seq, caller, tool, method, outcome }: JournalEntry): string {
  return `#${seq} ${caller || 'nobody'} ${tool ?? method ?? 'no message'} ${outcome ?? 'under way'}`
}

/**
 * The entry that comes closest to what was waited for without being it, and where it differs: as a rule that shows
 * which of the two is misspelt.
 */
export function nearestMiss(entries: readonly JournalEntry[], expected: Expected): string {
  let nearest: { entry: JournalEntry; missed: string[] } | undefined
  for (const entry of entries) {
    if (matches(entry, expected)) continue
    const missed = missesOf(entry, expected)
    // Of two as close, the later one: it is what the reader did last.
    if (nearest === undefined || missed.length <= nearest.missed.length) nearest = { entry, missed }
  }
  if (nearest !== undefined) return `nearest is ${asLine(nearest.entry)}: ${nearest.missed.join('; ')}`
  return entries.length === 0 ? 'nothing arrived at all' : 'nothing else arrived'
}

function missesOf(entry: JournalEntry, expected: Expected): string[] {
  return expected.flatMap(([field, value]) =>
    [...differences(fieldOf(entry, field), value, field)].map(({ path, actual, expected }) =>
      path === 'outcome' && actual === undefined
        ? `outcome is not known yet, and ${shown(expected)} was wanted`
        : `${path} is ${shown(actual)}, not ${shown(expected)}`,
    ),
  )
}
