import { computed, signal } from '@preact/signals'
import type { EntryJson } from '../../../shared/journal/entry.js'
import { eachFrame } from '../browser-time.js'
import { CallLog, EVERYTHING, filtered } from '../model/call-log.js'

const log = new CallLog()

/** Counts up with what changes: the log itself is changed in place. */
const version = signal(0)

/** Number of entries that the journal had dropped before the page was opened. */
const goneBefore = signal(0)

/** Number of the oldest entries that are no longer kept. */
export const dropped = computed(() => goneBefore.value + (version.value >= 0 ? log.dropped : 0))

/** The calls, the oldest first. */
export const calls = computed(() => (version.value >= 0 ? [...log.calls] : []))

/** The filter of the call list. */
export const filter = signal(EVERYTHING)

/** The calls that are shown, the newest first. */
export const shownCalls = computed(() => filtered(calls.value, filter.value))

/** The seqs of those. */
export const shownSeqs = computed(() => shownCalls.value.map(({ entry }) => entry.seq))

/** Told of once a frame, however many come. */
const changed = eachFrame(() => {
  version.value++
})

export function takeCall(entry: EntryJson): void {
  log.take(entry)
  changed()
}

/**
 * Records the entries that the journal has dropped. The log counts its own later ones. @param dropped number by the
 * journal so far
 */
export function takeGap(dropped: number): void {
  if (log.calls.length === 0) goneBefore.value = dropped
}

export function forgetCalls(): void {
  log.clear()
  goneBefore.value = 0
  changed()
}
