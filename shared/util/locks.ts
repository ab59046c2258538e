/**
 * A lock with two modes, shared and exclusive. A request for the exclusive lock waits until running work has
 * ended. Work that starts later waits for the exclusive lock to be released.
 *
 * Work with the shared lock must not acquire the lock again, nor wait for other work that does. Such work
 * could wait for itself.
 */
export class RwLock {
  #inside = 0
  /**
   * Resolves when the exclusive lock is released. Undefined while no one holds or requests the exclusive
   * lock.
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
   * Keeps the shared lock until `work` ends. Call it with the shared lock, for work that continues after its
   * caller has released the lock.
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
 * Runs work for the same key one at a time, in the order of the calls. Work for different keys does not wait.
 */
export class OneAtATime {
  /** The last work that was submitted for each busy key. */
  readonly #busy = new Map<string, Promise<void>>()

  /** Runs `work` when all earlier work for `key` has succeeded or failed. */
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
