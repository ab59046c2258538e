import type { Clock } from '../../../shared/clock/clock.js'

/** How long an answer may take: a call of a rehearsal never has anything to wait for. */
export const PATIENCE_MS = 10_000

/** A signal that comes when patience ends, by the machine's time, and how to take it back. */
export function deadline(machine: Clock, ms = PATIENCE_MS): { signal: AbortSignal; over(): void } {
  const controller = new AbortController()
  const wakeup = machine.wakeAt(machine.now() + ms, () => controller.abort())
  return { signal: controller.signal, over: () => wakeup.cancel() }
}
