import { computed, signal } from '@preact/signals'
import type { ClockState } from '../../control/schemas/clock.js'
import { browserNow, every } from '../browser-time.js'

/** Milliseconds between two updates of countdowns. */
const TICK_MS = 250

/** The last known state of the instance's clock, and the browser time at which it was read. */
const seen = signal<{ clock: ClockState; atMs: number } | undefined>(undefined)

const tick = signal(0)

/** The mode of the instance's clock. Undefined until it has been read. */
export const clockMode = computed(() => seen.value?.clock.mode)

/** The instance's time in milliseconds. A manual clock does not move between two updates. */
export const instanceNow = computed(() => {
  if (seen.value === undefined) return 0
  const { clock, atMs } = seen.value
  if (clock.mode === 'manual') return clock.nowMs
  // The clock may have been read after the latest tick.
  return clock.nowMs + Math.max(0, tick.value - atMs)
})

export function sawClock(clock: ClockState): void {
  seen.value = { clock, atMs: browserNow() }
}

export function keepClockGoing(): void {
  every(TICK_MS, () => {
    if (clockMode.value === 'real') tick.value = browserNow()
  })
}
