import type { Clock } from '../../../shared/clock/clock.js'

/**
 * Difference in milliseconds above which a timestamp may be the cause of a refusal. The service accepts
 * timestamps within 60 s of its time. The smaller number allows for the time that a request and its answer
 * take.
 */
const SUSPICIOUS_SKEW_MS = 30_000

/**
 * Estimates the time of a service: machine time plus the last measured difference.
 *
 * The difference is 0 until the service has refused a signature. Only then is the service's time read, so
 * most services get no request for it. A stand-in accepts machine time whatever its clock shows, and gets no
 * such request either.
 */
export class ServiceTime {
  readonly #machine: Clock
  readonly #readServiceTime: () => Promise<number>
  /** The service's time minus machine time, in milliseconds. */
  #offsetMs = 0

  /**
   * @param machine machine time
   * @param readServiceTime reads the service's time, in milliseconds since the epoch
   */
  constructor(machine: Clock, readServiceTime: () => Promise<number>) {
    this.#machine = machine
    this.#readServiceTime = readServiceTime
  }

  /** Returns the time for a signature, in milliseconds since the epoch. */
  now(): number {
    return this.#machine.now() + this.#offsetMs
  }

  /**
   * Reads the service's time and stores its difference from machine time.
   *
   * @param timestamp of the refused request, in milliseconds since the epoch
   * @returns whether the timestamp may be the cause of the refusal
   * @throws the error of reading the service's time
   */
  async synchronize(timestamp: number): Promise<boolean> {
    const serviceNow = await this.#readServiceTime()
    this.#offsetMs = serviceNow - this.#machine.now()
    return Math.abs(serviceNow - timestamp) > SUSPICIOUS_SKEW_MS
  }
}
