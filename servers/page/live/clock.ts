import { computed, signal } from '@preact/signals'
import type { ClockState } from '../../control/schemas/clock.js'
import { browserNow, every } from '../browser-time.js'

/** Interval between updates of countdowns, in milliseconds. */
const TICK_MS = 250

/** The last known state of the instance's clock, and the browser time at which it was read. */
const reading = signal<{ clock: ClockState; atMs: number } | undefined>(undefined)

/** The browser's time at the latest update of countdowns, in milliseconds. */
const tick = signal(0)

/** The mode of the instance's clock. Undefined until it has been read. */
export const clockMode = computed(() => reading.value?.clock.mode)

/** The instance's time in milliseconds. The time of a manual clock changes only when the state is read. */
export const instanceNow = computed(() => {
  if (reading.value === undefined) return 0
  const { clock, atMs } = reading.value
  if (clock.mode === 'manual') return clock.nowMs
  // If the clock was read after the latest tick, the difference is negative.
  return clock.nowMs + Math.max(0, tick.value - atMs)
})

export function setClockState(clock: ClockState): void {
  reading.value = { clock, atMs: browserNow() }
}

export function startTicking(): void {
  every(TICK_MS, () => {
    if (clockMode.value === 'real') tick.value = browserNow()
  })
}
