import type { Clock } from '../../../shared/clock/clock.js'

/** Resolves once `ms` milliseconds have passed, or as soon as `signal` fires. */
export async function pause(clock: Clock, ms: number, signal: AbortSignal): Promise<void> {
  if (signal.aborted) return
  await new Promise<void>(resolve => {
    const wakeup = clock.wakeAt(clock.now() + ms, end)
    signal.addEventListener('abort', end)
    function end() {
      wakeup.cancel()
      signal.removeEventListener('abort', end)
      resolve()
    }
  })
}
