import type { Clock } from '../../../shared/clock/clock.js'

/**
 * Milliseconds. The service accepts timestamps within 60 s of its time. One that differs by this much may be
 * the cause of a refusal.
 */
const SUSPECT_MS = 30_000

/**
 * The time of a service: the machine's time, corrected by the last known difference.
 *
 * The service is asked for its time only after it has refused a signature. So a service with the right time
 * costs no request. A stand-in accepts the machine's time with any clock, and is never asked.
 */
export class ServiceTime {
  readonly #machine: Clock
  readonly #ask: () => Promise<number>
  /** Milliseconds that the service is ahead of the machine. */
  #ahead = 0

  /**
   * @param machine machine time
   * @param ask returns the service's time, in milliseconds since the epoch
   */
  constructor(machine: Clock, ask: () => Promise<number>) {
    this.#machine = machine
    this.#ask = ask
  }

  /** Returns the time for a signature, in milliseconds since the epoch. */
  now(): number {
    return this.#machine.now() + this.#ahead
  }

  /** Reads the service's time. Returns whether the timestamp may have been the cause of a refusal. */
  async correct(stamp: number): Promise<boolean> {
    const theirs = await this.#ask()
    this.#ahead = theirs - this.#machine.now()
    return Math.abs(theirs - stamp) > SUSPECT_MS
  }
}
