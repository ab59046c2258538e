import type { Clock } from '../../../shared/clock/clock.js'
import { Refusal } from '../../../shared/errors.js'
import { ServiceRefusal } from '../domain/refusals.js'
import { isPassing } from './refused.js'

/** Before the first, second and third repetition. */
const PAUSES_MS = [200, 500, 1_000]

/**
 * Asks, and asks again if the answer is that the service cannot answer just now. Only for what changes nothing.
 *
 * @param machine the machine's time
 * @param times how often to ask again, at most
 * @param signals each of them ends the asking
 */
export async function retrying<T>(
  machine: Clock,
  times: number,
  signals: readonly AbortSignal[],
  ask: () => Promise<T>,
): Promise<T> {
  for (const ms of PAUSES_MS.slice(0, times)) {
    try {
      return await ask()
    } catch (error) {
      if (!mayPass(error) || signals.some(({ aborted }) => aborted)) throw error
      await pause(machine, ms, ...signals)
    }
  }
  return ask()
}

function mayPass(error: unknown): boolean {
  if (error instanceof ServiceRefusal) return isPassing(error.status)
  return error instanceof Refusal && error.code === 'unreachable'
}

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
