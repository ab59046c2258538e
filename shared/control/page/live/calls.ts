import { computed, signal } from '@preact/signals'
import type { EntryJson } from '../../../journal/entry-json.js'
import { EVERYTHING, filtered } from '../model/call-filter.js'
import { CallLog } from '../model/call-log.js'

const log = new CallLog()

/** Counts up with what changes: the log itself is changed in place. */
const version = signal(0)

/** How many of the oldest the journal no longer has. */
export const dropped = signal(0)

/** The calls, the oldest first. */
export const calls = computed(() => (version.value >= 0 ? [...log.calls] : []))

/** What is wanted of them. */
export const filter = signal(EVERYTHING)

/** The calls that are shown, the newest first. */
export const shownCalls = computed(() => filtered(calls.value, filter.value))

/** The seqs of those. */
export const shownSeqs = computed(() => shownCalls.value.map(({ entry }) => entry.seq))

let drawing = false

export function takeCall(entry: EntryJson): void {
  log.take(entry)
  changed()
}

export function forgetCalls(): void {
  log.clear()
  dropped.value = 0
  changed()
}

/** Told of once a frame, however many come. */
function changed(): void {
  if (drawing) return
  drawing = true
  requestAnimationFrame(() => {
    drawing = false
    version.value++
  })
}
