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

/** Number of old entries that the page no longer shows. */
export const dropped = computed(() => droppedBefore.value + (version.value >= 0 ? log.dropped : 0))

/** The calls, the oldest first. */
export const calls = computed(() => (version.value >= 0 ? [...log.calls] : []))

/** The filter, and the open and the focused row, of the list of calls. */
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
 * Records how many entries the journal had dropped before the page was opened. The log itself counts the
 * entries that are dropped later.
 *
 * @param dropped number of entries that the journal has dropped so far
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
