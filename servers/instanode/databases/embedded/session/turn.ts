import type { Clock, Wakeup } from '../../../../../shared/clock/clock.js'

interface Waiting<Who> {
  who: Who
  go(): void
  refuse(reason: Error): void
  deadline: Wakeup | undefined
}

/** Thrown to who has waited too long. */
export class WaitedTooLong extends Error {}

/** Who may use the one session. First come, first served; whoever has it keeps it until `pass`. */
export class Turn<Who> {
  #holder: Who | undefined
  readonly #waiting: Waiting<Who>[] = []

  /** @param excused while it is true no wait times out, because the holder is not what is slow */
  constructor(
    readonly machine: Clock,
    readonly excused: () => boolean = () => false,
  ) {}

  get holder(): Who | undefined {
    return this.#holder
  }

  get free(): boolean {
    return this.#holder === undefined
  }

  /**
   * Resolves when it is `who`'s turn; at once for who has it already.
   *
   * @param patience milliseconds, or undefined to wait for ever
   * @throws WaitedTooLong, or what `forget` was given
   */
  take(who: Who, patience?: number): Promise<void> {
    if (this.#holder === who) return Promise.resolve()
    if (this.#holder === undefined) {
      this.#holder = who
      return Promise.resolve()
    }
    return new Promise((resolve, reject) => {
      const waiting: Waiting<Who> = { who, go: resolve, refuse: reject, deadline: undefined }
      this.#waiting.push(waiting)
      if (patience !== undefined) this.#limit(waiting, patience)
    })
  }

  #limit(waiting: Waiting<Who>, patience: number): void {
    waiting.deadline = this.machine.wakeAt(this.machine.now() + patience, () => {
      if (this.excused()) this.#limit(waiting, patience)
      else this.forget(waiting.who, new WaitedTooLong())
    })
  }

  /** Hands over to who has waited longest. */
  pass(): void {
    const next = this.#waiting.shift()
    this.#holder = next?.who
    next?.deadline?.cancel()
    next?.go()
  }

  /** @returns whether `who` was waiting; it no longer is */
  forget(who: Who, reason: Error): boolean {
    const at = this.#waiting.findIndex(waiting => waiting.who === who)
    const [waiting] = at < 0 ? [] : this.#waiting.splice(at, 1)
    waiting?.deadline?.cancel()
    waiting?.refuse(reason)
    return waiting !== undefined
  }
}
