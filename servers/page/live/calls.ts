import { computed, signal } from '@preact/signals'
import type { EntryJson } from '../../../shared/journal/entry.js'
import { eachFrame } from '../browser-time.js'
import { CALLS, CallLog } from '../model/call-log.js'
import { LogView } from './log-view.js'

const log = new CallLog()

/** Number of changes of the log. The log itself changes in place, which a signal does not notice. */
const version = signal(0)

/** Number of entries that the journal had dropped before the page was opened. */
const goneBefore = signal(0)

/** Number of the oldest entries that are no longer kept. */
export const dropped = computed(() => goneBefore.value + (version.value >= 0 ? log.dropped : 0))

/** The calls, the oldest first. */
export const calls = computed(() => (version.value >= 0 ? [...log.calls] : []))

/** The view of the calls. */
export const callView = new LogView(calls, CALLS)

/** Updates the version once a frame, even if many calls arrive. */
const changed = eachFrame(() => {
  version.value++
})

export function takeCall(entry: EntryJson): void {
  log.take(entry)
  changed()
}

/**
 * Records how many entries the journal had dropped before the page was opened. The log counts later ones
 * itself.
 *
 * @param dropped number of entries that the journal has dropped until now
 */
export function takeGap(dropped: number): void {
  if (log.calls.length === 0) goneBefore.value = dropped
}

export function forgetCalls(): void {
  log.clear()
  callView.reset()
  goneBefore.value = 0
  changed()
}
