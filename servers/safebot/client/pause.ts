import type { Clock } from '../../../shared/clock/clock.js'

/** Resolves once `ms` milliseconds have passed, or as soon as one of the signals fires. */
export async function pause(clock: Clock, ms: number, ...signals: AbortSignal[]): Promise<void> {
  if (signals.some(({ aborted }) => aborted)) return
  await new Promise<void>(resolve => {
    const wakeup = clock.wakeAt(clock.now() + ms, end)
    for (const signal of signals) signal.addEventListener('abort', end)
    function end() {
      wakeup.cancel()
      for (const signal of signals) signal.removeEventListener('abort', end)
      resolve()
    }
  })
}
