import type { Clock } from '../../../shared/clock/clock.js'

/** The service takes stamps within 60 s of its time; one that is this far off may well have been turned down for that. */
const SUSPECT_MS = 30_000

/**
 * What time it is at a service: the machine's, and by how much the service was last seen to differ.
 *
 * A service is asked for its time only when it has turned down a signature. So a service whose clock is right costs nothing
 * extra. A stand-in accepts the machine's time wherever its clock stands, and is never asked.
 */
export class ServiceTime {
  readonly #machine: Clock
  readonly #ask: () => Promise<number>
  /** How far the service is ahead of the machine. */
  #ahead = 0

  /**
   * @param machine the machine's time
   * @param ask gets the service's time, in milliseconds since the epoch
   */
  constructor(machine: Clock, ask: () => Promise<number>) {
    this.#machine = machine
    this.#ask = ask
  }

  /** Milliseconds since the epoch, to stamp a signature with. */
  now(): number {
    return this.#machine.now() + this.#ahead
  }

  /** Asks the service for its time; tells whether a signature with that stamp can have been turned down for it. */
  async correct(stamp: number): Promise<boolean> {
    const theirs = await this.#ask()
    this.#ahead = theirs - this.#machine.now()
    return Math.abs(theirs - stamp) > SUSPECT_MS
  }
}
