import type { Clock } from '../../../shared/clock/clock.js'
import { Refusal } from '../../../shared/errors.js'
import { ServiceRefusal } from '../domain/refusals.js'
import { isPassing } from './refused.js'

/** Milliseconds before the first, second and third retry. */
const PAUSES_MS = [200, 500, 1_000]

/**
 * Runs a request, and repeats it if the service is temporarily unavailable. Only for requests that change
 * nothing.
 *
 * @param machine machine time
 * @param times largest number of retries
 * @param signals each of them ends the retries
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

/** Resolves after `ms` milliseconds, or when one of the signals fires. */
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
