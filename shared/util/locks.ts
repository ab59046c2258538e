/**
 * A lock with two modes, shared and exclusive. A request for the exclusive lock waits until running work has
 * ended. Work that starts later waits for the exclusive lock to be released.
 *
 * Work that holds the shared lock must not acquire the lock again, and must not wait for other work that
 * acquires it. Otherwise the work could wait for itself.
 */
export class RwLock {
  #inside = 0
  /**
   * Resolves when the exclusive lock is released. Undefined while the exclusive lock is neither held nor
   * requested.
   */
  #closed: Promise<void> | undefined
  #onEmpty: (() => void) | undefined

  /** Runs `work` with the shared lock. */
  async shared<T>(work: () => Promise<T>): Promise<T> {
    while (this.#closed !== undefined) await this.#closed
    this.#inside++
    try {
      return await work()
    } finally {
      this.#leave()
    }
  }

  /**
   * Keeps the shared lock until `work` ends, even if the caller releases the lock earlier. The caller must
   * hold the shared lock.
   */
  extendShared(work: Promise<unknown>): void {
    this.#inside++
    const leave = () => this.#leave()
    work.then(leave, leave)
  }

  /** Runs `work` with the exclusive lock. */
  async exclusive<T>(work: () => Promise<T>): Promise<T> {
    while (this.#closed !== undefined) await this.#closed
    let open = () => {}
    this.#closed = new Promise(resolve => {
      open = resolve
    })
    try {
      if (this.#inside > 0) {
        await new Promise<void>(resolve => {
          this.#onEmpty = resolve
        })
      }
      return await work()
    } finally {
      this.#closed = undefined
      open()
    }
  }

  #leave(): void {
    this.#inside--
    if (this.#inside > 0) return
    this.#onEmpty?.()
    this.#onEmpty = undefined
  }
}

/**
 * Runs work for the same key one at a time, in the order of the calls. Work for one key does not wait
 * for work for another key.
 */
export class OneAtATime {
  /** The last work that was submitted for each busy key. */
  readonly #busy = new Map<string, Promise<void>>()

  /** Runs `work` when all earlier work for `key` has succeeded or failed. */
  async run<T>(key: string, work: () => Promise<T>): Promise<T> {
    const before = this.#busy.get(key)
    const running = before === undefined ? work() : before.then(work)
    const done = running.then(ignore, ignore)
    this.#busy.set(key, done)
    try {
      return await running
    } finally {
      if (this.#busy.get(key) === done) this.#busy.delete(key)
    }
  }
}

function ignore(): void {}
