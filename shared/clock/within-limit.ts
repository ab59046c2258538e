import type { Clock } from './clock.js'

/** Rejects work that has run longer than it may. */
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
  /** Milliseconds the work may take. */
  ms: number
  /** Names the work in the error, e.g. `opening the database`. */
  what: string
  /** The caller's: ends the work early. */
  signal?: AbortSignal | undefined
}

/**
 * Runs work that must end. On time-out or cancellation it rejects at once, even if the work does not react.
 *
 * @param work receives the signal that is aborted then. It has to undo what it began.
 * @returns the result of `work`
 * @throws LimitExceeded when the time is over; the reason of `signal`; whatever `work` throws
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

/** A signal can be aborted with any value. */
function reasonOf({ reason }: AbortSignal, what: string): Error {
  return reason instanceof Error ? reason : new Error(`${what} was cancelled: ${String(reason)}`)
}
