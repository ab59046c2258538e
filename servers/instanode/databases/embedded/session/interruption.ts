import type { Clock, Wakeup } from '../../../../../shared/clock/clock.js'
import type { Engine } from '../engine/engine.js'
import { frame } from '../wire/frames.js'

/**
 * Stops a running batch: on its client's request or when its time is up. First Postgres is asked; if it does not notice,
 * the engine is ended, since nothing else reaches it.
 */
export class Interruption {
  /** What the client is told, if not "due to user request". */
  reason: string | undefined
  #timer: Wakeup | undefined
  #feed: ((bytes: Buffer) => void) | undefined
  #asked = false
  #over = false

  /**
   * @param timeoutMs the client's `statement_timeout`, 0 for none
   * @param graceMs how long Postgres has to notice
   */
  constructor(
    readonly machine: Clock,
    readonly engine: Engine,
    timeoutMs: number,
    readonly graceMs: number,
  ) {
    if (timeoutMs > 0)
      this.#timer = machine.wakeAt(machine.now() + timeoutMs, () =>
        this.stop('canceling statement due to statement timeout'),
      )
  }

  /** The batch waits for its client's data. @param feed answers it */
  waiting(feed: (bytes: Buffer) => void): void {
    this.#feed = feed
    if (this.#asked) this.#failCopy()
  }

  /** Passes data on. @returns false if the batch no longer waits for any: it was stopped meanwhile */
  feed(bytes: Buffer): boolean {
    const feed = this.#feed
    this.#feed = undefined
    feed?.(bytes)
    return feed !== undefined
  }

  /** @param reason what the client is told */
  stop(reason?: string): void {
    if (this.#over) return
    this.#timer?.cancel()
    this.reason = reason
    this.ask()
    this.#timer = this.machine.wakeAt(this.machine.now() + this.graceMs, () => this.engine.abort())
  }

  /** Asks Postgres to stop, and leaves it at that: nobody waits for the answer, but others share the engine. */
  ask(): void {
    this.#asked = true
    this.engine.cancel()
    this.#failCopy()
  }

  #failCopy(): void {
    this.feed(frame('f', this.reason ?? 'canceling statement due to user request'))
  }

  /** The batch has ended. */
  over(): void {
    this.#over = true
    this.#timer?.cancel()
  }
}
