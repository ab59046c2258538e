/**
 * A lock that work shares, and that one caller can hold exclusively. A request for the exclusive lock waits for
 * running work, and later work waits for it.
 *
 * Work with the shared lock must not acquire it again, nor wait for work that does. It would wait for itself.
 */
export class RwLock {
  #inside = 0
  /** Resolves when the exclusive lock is released. Undefined while there is none. */
  #closed: Promise<void> | undefined
  #onEmpty: (() => void) | undefined

  /** Runs `work` inside. */
  async shared<T>(work: () => Promise<T>): Promise<T> {
    while (this.#closed !== undefined) await this.#closed
    this.#inside++
    try {
      return await work()
    } finally {
      this.#leave()
    }
  }

  /** Counts as inside what was begun there and goes on when its beginner has left. */
  extendShared(work: Promise<unknown>): void {
    this.#inside++
    const leave = () => this.#leave()
    work.then(leave, leave)
  }

  /** Runs `work` while nothing else is inside. */
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
