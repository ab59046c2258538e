import type { Clock } from './clock.js'

/** Thrown when work takes longer than its limit of `ms` milliseconds. */
export class LimitExceeded extends Error {
  constructor(
    readonly what: string,
    readonly ms: number,
  ) {
    super(`${what} took longer than ${ms / 1000} s`)
  }
}

export interface TimeLimit {
  /** The machine's time, because a jump of an instance's clock must not end work. */
  machine: Clock
  /** Time limit of the work, in milliseconds. */
  ms: number
  /** Names the work in the error, e.g. `opening the database`. */
  what: string
  /** Aborting this signal cancels the work. */
  signal?: AbortSignal | undefined
}

/**
 * Runs work with a time limit. On time-out or cancellation, the function rejects immediately, even
 * if the work continues.
 *
 * @param work receives a signal that is aborted on time-out or cancellation. Then `work` must undo what it
 *   has changed
 * @returns the result of `work`
 * @throws LimitExceeded on time-out, the reason of `signal` on cancellation, or the error of `work`
 */
export async function withinLimit<T>(
  { machine, ms, what, signal }: TimeLimit,
  work: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  if (signal?.aborted) throw reasonOf(signal, what)
  const stop = new AbortController()
  const stopped = new Promise<never>((_, reject) => {
    stop.signal.addEventListener('abort', () => reject(stop.signal.reason), { once: true })
  })
  const cancel = () => signal && stop.abort(reasonOf(signal, what))
  signal?.addEventListener('abort', cancel, { once: true })
  const alarm = machine.wakeAt(machine.now() + ms, () => stop.abort(new LimitExceeded(what, ms)))
  try {
    return await Promise.race([work(stop.signal), stopped])
  } finally {
    alarm.cancel()
    signal?.removeEventListener('abort', cancel)
  }
}

/** Returns the reason of a signal as an error, because a signal can be aborted with any value. */
function reasonOf({ reason }: AbortSignal, what: string): Error {
  return reason instanceof Error ? reason : new Error(`${what} was cancelled: ${String(reason)}`)
}
