import { Refusal } from '../errors.js'
import { type Due, DueQueue } from './due-queue.js'

/** `real` ticks with the machine and can be jumped forward; `manual` moves only by `advance`. */
export type ClockMode = 'real' | 'manual'

export interface ClockOptions {
  /** Default `real`. */
  mode?: ClockMode
  /** First instant, in milliseconds since the epoch. Default: the machine's time if real, {@link MANUAL_START} if manual. */
  start?: number
  /** Told of a wake-up that threw; the clock goes on. Default: a process warning. */
  onError?: (error: unknown) => void
}

/** A fixed start makes two runs on a manual clock print the same stamps. */
export const MANUAL_START = Date.parse('2026-01-01T00:00:00Z')

/** setTimeout counts in a signed 32-bit integer; a longer wait is taken in pieces. */
const LONGEST_TIMEOUT_MS = 2 ** 31 - 1

/** A pending wake-up. */
export interface Wakeup {
  /** Takes it back; one that has fired is ignored. */
  cancel(): void
}

/**
 * The only source of time in an instance: it owns every stamp and every wake-up.
 *
 * State elsewhere is kept as instants and judged when read; the clock only wakes what is parked.
 * `advance` walks through what falls due in due order and stands at each item's own instant while
 * it runs, so a wake-up never sees a time later than the one it asked for.
 */
export class Clock {
  readonly mode: ClockMode
  readonly #queue = new DueQueue()
  readonly #tracked = new Set<Promise<unknown>>()
  readonly #watchers = new Set<() => void>()
  readonly #onError: (error: unknown) => void
  /** A manual clock stands here; a real one only while it is being advanced. */
  #held: number | undefined
  /** What a real clock is ahead of the machine. */
  #offset = 0
  #timer: NodeJS.Timeout | undefined
  /** Whether an `advance` is under way. */
  #walking = false
  #advancing: Promise<unknown> = Promise.resolve()
  #closed = false

  constructor(options: ClockOptions = {}) {
    this.mode = options.mode ?? 'real'
    this.#onError = options.onError ?? (error => process.emitWarning(String(error), 'ClockWarning'))
    if (this.mode === 'manual') this.#held = options.start ?? MANUAL_START
    else if (options.start !== undefined) this.#offset = options.start - machineNow()
  }

  /** Milliseconds since the epoch; never goes backwards. */
  now(): number {
    return this.#held ?? Math.floor(machineNow() + this.#offset)
  }

  /** How many wake-ups are pending. */
  get pending(): number {
    return this.#queue.size
  }

  /**
   * Runs `wake` once, when the clock reaches `instant`; an instant already past is due at the next tick or `advance`.
   *
   * @param instant milliseconds since the epoch
   * @param wake what it returns is waited for by `advance`
   */
  wakeAt(instant: number, wake: () => void | Promise<void>): Wakeup {
    if (this.#closed)
      throw new Refusal('clock_closed', 'the clock is closed: its instance has been shut down')
    const due = this.#queue.add(instant, wake)
    if (this.#queue.peek() === due) this.#arm()
    for (const watch of this.#watchers) watch()
    return { cancel: () => this.#cancel(due) }
  }

  /** Makes a running `advance` wait for `work`: for what a wake-up set going beyond its own promise. Without one, does nothing. */
  track(work: Promise<unknown>): void {
    if (!this.#walking) return
    this.#tracked.add(work)
    const forget = () => this.#tracked.delete(work)
    work.then(forget, forget)
  }

  /** Resolves once at least `count` wake-ups are pending: how a test knows that a call has parked. */
  async whenPending(count: number): Promise<void> {
    if (this.#queue.size >= count) return
    await new Promise<void>(resolve => {
      const watch = () => {
        if (this.#queue.size < count) return
        this.#watchers.delete(watch)
        resolve()
      }
      this.#watchers.add(watch)
    })
  }

  /**
   * Moves time forward and resolves, with the new time, when all that fell due has settled.
   *
   * @param ms how far, in whole milliseconds, 0 or more
   * @throws Refusal `bad_advance` for anything else; `clock_closed` after `close`
   */
  advance(ms: number): Promise<number> {
    if (!Number.isSafeInteger(ms) || ms < 0) {
      const shown = typeof ms === 'number' ? String(ms) : JSON.stringify(ms)
      return Promise.reject(
        new Refusal(
          'bad_advance',
          `cannot advance the clock by ${shown}`,
          'give whole milliseconds, 0 or more; time does not run backwards',
        ),
      )
    }
    const step = this.#advancing.then(() => this.#advanceBy(ms))
    this.#advancing = step.catch(() => undefined)
    return step
  }

  /** Drops every pending wake-up and stops ticking. */
  close(): void {
    this.#closed = true
    clearTimeout(this.#timer)
    while (this.#queue.take(Number.POSITIVE_INFINITY) !== undefined);
  }

  async #advanceBy(ms: number): Promise<number> {
    if (this.#closed)
      throw new Refusal('clock_closed', 'the clock is closed: its instance has been shut down')
    const target = this.now() + ms
    this.#held = this.now()
    this.#walking = true
    try {
      for (let due = this.#queue.take(target); due !== undefined; due = this.#queue.take(target)) {
        this.#held = Math.max(this.#held, due.instant)
        this.#run(due)
        await this.#settle()
      }
    } finally {
      this.#walking = false
      if (this.mode === 'manual') this.#held = target
      else {
        this.#held = undefined
        this.#offset = target - machineNow()
        this.#arm()
      }
    }
    return target
  }

  #run(due: Due): void {
    try {
      const work = due.run()
      if (work instanceof Promise) this.track(work.catch(this.#onError))
    } catch (error) {
      this.#onError(error)
    }
  }

  /** A turn of the event loop empties the microtask queue, and with it every in-memory continuation. */
  async #settle(): Promise<void> {
    await turn()
    while (this.#tracked.size > 0) {
      await Promise.allSettled(this.#tracked)
      await turn()
    }
  }

  #cancel(due: Due): void {
    const wasNext = this.#queue.peek() === due
    this.#queue.remove(due)
    if (wasNext) this.#arm()
  }

  /** Sets the one timer of a real clock to the earliest due item. */
  #arm(): void {
    if (this.mode === 'manual' || this.#closed) return
    clearTimeout(this.#timer)
    const next = this.#queue.peek()
    if (next === undefined) return
    const wait = Math.max(0, Math.min(next.instant - this.now(), LONGEST_TIMEOUT_MS))
    this.#timer = setTimeout(() => this.#tick(), wait)
  }

  #tick(): void {
    // An advance under way runs what is due itself, and arms the timer when it is done.
    if (this.#walking) return
    const now = this.now()
    for (let due = this.#queue.take(now); due !== undefined; due = this.#queue.take(now)) this.#run(due)
    this.#arm()
  }
}

/** The machine's time, free of its leaps: one wall-clock reading, then the monotonic clock. */
export function machineNow(): number {
  return performance.timeOrigin + performance.now()
}

function turn(): Promise<void> {
  return new Promise(resolve => setImmediate(resolve))
}
