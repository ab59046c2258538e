import { computed, signal } from '@preact/signals'
import type { EntryJson } from '../../../shared/journal/entry.js'
import { eachFrame } from '../browser-time.js'
import { CALLS, CallLog } from '../model/call-log.js'
import { LogView } from './log-view.js'

const log = new CallLog()

/** Number of changes of the log. Signals need this number, because they do not notice changes in the log. */
const version = signal(0)

/** Number of entries that the journal had dropped before the page was opened. */
const droppedBefore = signal(0)

/**
 * Number of older entries that are not in the list. The journal dropped them before the page was opened, or
 * the page did later.
 */
export const dropped = computed(() => droppedBefore.value + (version.value >= 0 ? log.dropped : 0))

/** The calls, the oldest first. */
export const calls = computed(() => (version.value >= 0 ? [...log.calls] : []))

/** The state of the list of calls: its filter, its open row and its focused row. */
export const callView = new LogView(calls, CALLS)

/** Updates the version at most once in each frame, however many calls arrive. */
const changed = eachFrame(() => {
  version.value++
})

export function recordCall(entry: EntryJson): void {
  log.take(entry)
  changed()
}

/**
 * Records how many entries the journal had dropped before the page was opened. Does nothing once the log has
 * calls, because the log counts the entries that are dropped later.
 *
 * @param dropped number of entries that the journal has dropped
 */
export function recordGap(dropped: number): void {
  if (log.calls.length === 0) droppedBefore.value = dropped
}

export function forgetCalls(): void {
  log.clear()
  callView.reset()
  droppedBefore.value = 0
  changed()
}
