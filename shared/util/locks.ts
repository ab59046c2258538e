/**
 * Lets work through, until somebody wants to be alone with what it works on: then what is inside comes to its end, and what
 * arrives waits at the gate.
 *
 * Work inside must not pass again, nor wait for something that has yet to pass: it would wait for itself.
 */
export class Gate {
  #inside = 0
  /** Resolves when the gate opens again; undefined while it is open. */
  #closed: Promise<void> | undefined
  #onEmpty: (() => void) | undefined

  /** Runs `work` inside. */
  async pass<T>(work: () => Promise<T>): Promise<T> {
    while (this.#closed !== undefined) await this.#closed
    this.#inside++
    try {
      return await work()
    } finally {
      this.#leave()
    }
  }

  /** Counts as inside what was begun there and goes on when its beginner has left. */
  extend(work: Promise<unknown>): void {
    this.#inside++
    const leave = () => this.#leave()
    work.then(leave, leave)
  }

  /** Runs `work` while nothing else is inside. */
  async alone<T>(work: () => Promise<T>): Promise<T> {
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
