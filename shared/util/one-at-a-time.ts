/** Runs what concerns one key in the order it was handed in, one after the other; different keys do not wait. */
export class OneAtATime {
  /** The last work handed in for each busy key. */
  readonly #busy = new Map<string, Promise<void>>()

  /** Runs `work` once all earlier work for `key` has ended, however it ended. */
  async run<T>(key: string, work: () => Promise<T>): Promise<T> {
    const before = this.#busy.get(key)
    const running = before === undefined ? work() : before.then(work)
    const done = running.then(nothing, nothing)
    this.#busy.set(key, done)
    try {
      return await running
    } finally {
      if (this.#busy.get(key) === done) this.#busy.delete(key)
    }
  }
}

function nothing(): void {}
