import type { Clock } from '../../../shared/clock/clock.js'
import { Refusal } from '../../../shared/errors.js'
import { ServiceRefusal } from '../domain/refusals.js'
import { isTemporary } from './http-refusals.js'

/** Milliseconds before the first, second and third retry, as in the real client. */
const RETRY_DELAYS_MS = [200, 500, 1_000]

/**
 * Sends a request, and sends it again while the service is temporarily unavailable. Use it only for requests
 * that change no state.
 *
 * @param machine machine time, for the delays
 * @param maxRetries 0 to 3
 * @param signals no retry follows once one of these signals is aborted
 * @throws the error of the last attempt
 */
export async function withRetries<T>(
  machine: Clock,
  maxRetries: number,
  signals: readonly AbortSignal[],
  send: () => Promise<T>,
): Promise<T> {
  for (const ms of RETRY_DELAYS_MS.slice(0, maxRetries)) {
    try {
      return await send()
    } catch (error) {
      if (!isTemporaryError(error) || signals.some(({ aborted }) => aborted)) throw error
      await pause(machine, ms, ...signals)
    }
  }
  return send()
}

function isTemporaryError(error: unknown): boolean {
  if (error instanceof ServiceRefusal) return isTemporary(error.status)
  return error instanceof Refusal && error.code === 'unreachable'
}

/** Resolves after `ms` milliseconds, or when one of the signals is aborted. */
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
