import type { StoreDatabase } from './store-database.js'

/** Interval at which a waiting replica reads how far the other replicas have come, in milliseconds. */
const POLL_INTERVAL_MS = 10

/**
 * Tracks how far each replica has come in a sequence of numbered steps: the changes of the clock, or the
 * requests to write the journal. The row of each replica has the latest step that it has reached.
 */
export class Progress {
  readonly #store: StoreDatabase
  /** The column of the table `replicas` that has the step. */
  readonly #column: string
  #reported = 0

  constructor(store: StoreDatabase, sequence: 'clock' | 'journal') {
    this.#store = store
    this.#column = `${sequence}_step`
  }

  /** The latest step that this replica has reported, or 0 if it has reported none. */
  get reported(): number {
    return this.#reported
  }

  /**
   * Reports that this replica has reached a step. From its first report on, other replicas wait for it.
   *
   * @throws StoreUnavailable
   */
  async report(step: number): Promise<void> {
    // Reports can arrive in the wrong order.
    const later = `greatest(${this.#column}, $2)`
    await this.#store.write(`UPDATE replicas SET ${this.#column} = ${later} WHERE number = $1`, [
      this.#store.replica,
      step,
    ])
    this.#reported = Math.max(step, this.#reported)
  }

  /**
   * Waits until every live replica has reached a step, or the time limit is over.
   *
   * @param timeoutMs time limit, in milliseconds of machine time
   * @returns the names of the replicas that have not reached the step
   * @throws StoreUnavailable
   */
  async waitForOthers(step: number, timeoutMs: number): Promise<string[]> {
    const { machine } = this.#store
    const until = machine.now() + timeoutMs
    for (;;) {
      const behind = await this.#store.read<{ name: string }>(
        `SELECT coalesce(instance, 'replica ' || number) AS name FROM live_replicas WHERE ${this.#column} < $1`,
        [step],
      )
      if (behind.length === 0 || machine.now() >= until) return behind.map(({ name }) => name)
      await new Promise<void>(resolve => {
        machine.wakeAt(machine.now() + POLL_INTERVAL_MS, resolve)
      })
    }
  }

  /**
   * Removes this replica from the sequence, so that other replicas no longer wait for it.
   *
   * @throws StoreUnavailable
   */
  async leave(): Promise<void> {
    await this.#store.write(`UPDATE replicas SET ${this.#column} = NULL WHERE number = $1`, [
      this.#store.replica,
    ])
  }
}
