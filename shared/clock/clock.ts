import { Refusal } from '../errors.js'
import { type ClockChange, readChange } from './change.js'
import type { ClockControls, ClockDriver, ClockPosition, ClockTarget, ClockUpdate } from './driver.js'
import { DueQueue, type QueuedWakeup } from './due-queue.js'
import { type ClockMode, type ClockSnapshot, LATEST_INSTANT } from './spec.js'

export type { ClockMode } from './spec.js'

export interface ClockOptions {
  /** Default `real`. */
  mode?: ClockMode
  /**
   * First instant, in milliseconds since the epoch. Default: the machine's time for a real clock, and
   * {@link MANUAL_START} for a manual clock.
   */
  start?: number
  /** Called with the error of a wake-up that threw. The clock continues. Default: a process warning. */
  onError?: (error: unknown) => void
}

/** The default start of a manual clock. It is fixed so that repeated runs show the same times. */
export const MANUAL_START = Date.parse('2026-01-01T00:00:00Z')

/** Maximum delay of `setTimeout`, which uses a signed 32-bit integer. A longer wait uses several timers. */
const LONGEST_TIMEOUT_MS = 2 ** 31 - 1

/** A pending wake-up. */
export interface Wakeup {
  /** Cancels the wake-up. Does nothing if it has already run. */
  cancel(): void
}

/**
 * The only source of time in an instance. It provides every timestamp and runs every wake-up.
 *
 * Other parts of the program store an instant, and compare it with the clock when they read it. They need
 * wake-ups only for work that waits. `advance` runs the wake-ups in the order of their instants. During each
 * wake-up the clock shows that wake-up's instant, so its work never sees a later time.
 */
export class Clock {
  readonly #queue = new DueQueue()
  readonly #tracked = new Set<Promise<unknown>>()
  readonly #watchers = new Set<() => void>()
  readonly #onError: (error: unknown) => void
  #mode: ClockMode
  /** The time of a manual clock, or of a real clock during an `advance`. Otherwise undefined. */
  #fixedNow: number | undefined
  /** Milliseconds by which a real clock is ahead of the machine. */
  #offset = 0
  readonly #initialMode: ClockMode
  /** The initial time of a manual clock, or the initial `#offset` of a real clock. */
  readonly #initial: number
  /** Strategy for a clock that replicas share. Undefined: the clock is not shared. */
  #driver: ClockDriver | undefined
  #timer: NodeJS.Timeout | undefined
  /** True while the clock moves forward and runs wake-ups. */
  #walking = false
  /** Settles when the latest change of the clock has ended. */
  #latestChange: Promise<unknown> = Promise.resolve()
  #closed = false

  constructor(options: ClockOptions = {}) {
    this.#mode = options.mode ?? 'real'
    this.#initialMode = this.#mode
    this.#onError = options.onError ?? (error => process.emitWarning(String(error), 'ClockWarning'))
    if (this.#mode === 'manual') this.#fixedNow = options.start ?? MANUAL_START
    else if (options.start !== undefined) this.#offset = options.start - machineNow()
    this.#initial = this.#fixedNow ?? this.#offset
  }

  get mode(): ClockMode {
    return this.#mode
  }

  /**
   * The current time, in milliseconds since the epoch. Only {@link set} and {@link restore} can set it back.
   */
  now(): number {
    return this.#fixedNow ?? Math.floor(machineNow() + this.#offset)
  }

  /** Number of pending wake-ups. */
  get pending(): number {
    return this.#queue.size
  }

  /**
   * Runs `wake` once, when the clock reaches `instant`. If `instant` is in the past, `wake` runs at the next
   * tick or `advance`.
   *
   * @param instant milliseconds since the epoch
   * @param wake if it returns a promise, `advance` waits for that promise
   */
  wakeAt(instant: number, wake: () => void | Promise<void>): Wakeup {
    if (this.#closed) throw closed()
    const due = this.#queue.add(instant, wake)
    if (this.#queue.peek() === due) this.#arm()
    for (const watch of this.#watchers) watch()
    return { cancel: () => this.#cancel(due) }
  }

  /**
   * Makes the current `advance` wait for `work` that a wake-up has started without returning its promise.
   * Does nothing when no `advance` is in progress.
   */
  track(work: Promise<unknown>): void {
    if (!this.#walking) return
    this.#tracked.add(work)
    const forget = () => this.#tracked.delete(work)
    work.then(forget, forget)
  }

  /** Resolves once at least `count` wake-ups are pending. Tests call it to be sure that a call waits. */
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
   * Moves time forward. Resolves with the new time when all work that fell due has ended.
   *
   * @param ms whole milliseconds, 0 or more
   * @throws Refusal `bad_advance` for any other `ms` or a time after the year 9999
   * @throws Refusal `clock_closed` after `close`
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
    return this.#move(({ mode, now }) => withinReach({ mode, now: now + ms, walk: true }))
  }

  /**
   * Sets the mode, the time, or both. Resolves with the new time when all work that fell due has ended. The
   * time can be set back only if the new mode is manual. Setting it back runs no wake-ups.
   *
   * @throws Refusal `bad_clock` for an invalid mode or time, `clock_backwards` or `clock_closed`. Then the
   *   clock keeps its mode and time
   */
  async set(change: ClockChange): Promise<number> {
    const { mode, now } = readChange(change)
    return this.#move(present => {
      const next = { mode: mode ?? present.mode, now: now ?? present.now }
      const walk = next.now >= present.now
      if (walk || next.mode === 'manual') return { ...next, walk }
      throw new Refusal(
        'clock_backwards',
        `a real clock cannot be set from ${iso(present.now)} back to ${iso(next.now)}`,
        'set its mode to manual in the same change',
      )
    })
  }

  /** Returns the current mode and time. */
  snapshot(): ClockSnapshot {
    return { mode: this.#mode, now: this.now() }
  }

  /**
   * Sets the clock to a snapshot, forwards or backwards, without running wake-ups. The caller must replace
   * the state as well. Wake-ups stay pending. Overdue wake-ups run at the next tick or `advance`.
   */
  async restore(snapshot: ClockSnapshot): Promise<void> {
    await this.#move(() => ({ ...snapshot, walk: false }))
  }

  /** Returns the mode and time that the clock would have if it had never been changed. */
  beginning(): ClockSnapshot {
    if (this.#driver !== undefined) return this.#driver.beginning()
    return {
      mode: this.#initialMode,
      now: this.#initialMode === 'manual' ? this.#initial : Math.floor(machineNow() + this.#initial),
    }
  }

  /**
   * Runs `work` after the current change of the clock and before later changes. While `work` runs, the clock
   * cannot be changed, but a real clock continues to tick.
   *
   * @param work receives the function `show`, which sets the clock to a snapshot as {@link restore} does
   * @throws Refusal `clock_closed`, or the error of `work`
   */
  betweenSteps<T>(work: (show: (snapshot: ClockSnapshot) => Promise<void>) => Promise<T>): Promise<T> {
    if (this.#driver !== undefined) return this.#driver.betweenSteps(work)
    return this.#inTurn(() => work(async snapshot => void this.#show(snapshot)))
  }

  /** Sets the driver of a shared clock, and returns it. Call it before the clock is changed. */
  drive<Driver extends ClockDriver>(createDriver: (controls: ClockControls) => Driver): Driver {
    const driver = createDriver({
      inTurn: move => this.#inTurn(move),
      go: (to, walk) => this.#follow(to, walk),
    })
    this.#driver = driver
    return driver
  }

  /** Drops every pending wake-up and stops ticking. */
  close(): void {
    this.#closed = true
    clearTimeout(this.#timer)
    while (this.#queue.take(Number.POSITIVE_INFINITY) !== undefined);
  }

  #move(update: ClockUpdate): Promise<number> {
    if (this.#driver !== undefined) return this.#driver.move(update)
    return this.#inTurn(() => {
      const { mode, now, walk } = update(this.snapshot())
      return walk ? this.#walkTo(now, mode) : this.#show({ mode, now })
    })
  }

  async #follow(to: ClockPosition, walk: boolean): Promise<void> {
    const there = () => (to.mode === 'manual' ? to.now : Math.floor(machineNow() + to.ahead))
    // A clock that is already ahead of the target runs only the wake-ups that are due by now. `#show` then
    // sets the target.
    if (walk) await this.#walkTo(Math.max(there(), this.now()), to.mode)
    this.#show({ mode: to.mode, now: there() })
    if (to.mode === 'real') this.#offset = to.ahead
  }

  /** Runs one change of the clock at a time, in the order of the calls. */
  #inTurn<T>(move: () => T | Promise<T>): Promise<T> {
    const step = this.#latestChange.then(() => {
      if (this.#closed) throw closed()
      return move()
    })
    this.#latestChange = step.catch(() => undefined)
    return step
  }

  /** Moves to `target` and runs the due wake-ups on the way. `mode` is the mode of the clock afterwards. */
  async #walkTo(target: number, mode: ClockMode): Promise<number> {
    this.#fixedNow = this.now()
    this.#walking = true
    try {
      for (let due = this.#queue.take(target); due !== undefined; due = this.#queue.take(target)) {
        this.#fixedNow = Math.max(this.#fixedNow, due.instant)
        this.#run(due)
        await this.#settle()
      }
    } finally {
      this.#walking = false
      this.#show({ mode, now: target })
    }
    return target
  }

  #show({ mode, now }: ClockSnapshot): number {
    this.#mode = mode
    this.#fixedNow = mode === 'manual' ? now : undefined
    this.#offset = now - machineNow()
    clearTimeout(this.#timer)
    this.#arm()
    return now
  }

  #run(due: QueuedWakeup): void {
    try {
      const work = due.run()
      if (work instanceof Promise) this.track(work.catch(this.#onError))
    } catch (error) {
      this.#onError(error)
    }
  }

  /**
   * Waits for tracked work. One turn of the event loop runs all pending microtasks. Among them is every
   * continuation that waits for no input and no timer.
   */
  async #settle(): Promise<void> {
    await nextTurn()
    while (this.#tracked.size > 0) {
      await Promise.allSettled(this.#tracked)
      await nextTurn()
    }
  }

  #cancel(due: QueuedWakeup): void {
    const wasNext = this.#queue.peek() === due
    this.#queue.remove(due)
    if (wasNext) this.#arm()
  }

  /** Sets the only timer of a real clock for the earliest wake-up. */
  #arm(): void {
    if (this.#mode === 'manual' || this.#closed) return
    clearTimeout(this.#timer)
    const next = this.#queue.peek()
    if (next === undefined) return
    const wait = Math.max(0, Math.min(next.instant - this.now(), LONGEST_TIMEOUT_MS))
    this.#timer = setTimeout(() => this.#tick(), wait)
  }

  #tick(): void {
    // The running `advance` runs the due wake-ups itself, and sets the timer at its end.
    if (this.#walking) return
    const now = this.now()
    for (let due = this.#queue.take(now); due !== undefined; due = this.#queue.take(now)) this.#run(due)
    this.#arm()
  }
}

/** The machine's time without jumps: the wall clock at the start of the process plus the monotonic clock. */
export function machineNow(): number {
  return performance.timeOrigin + performance.now()
}

function closed(): Refusal {
  return new Refusal('clock_closed', 'the clock is closed: its instance has been shut down')
}

/** Returns the target if it is not too late. @throws Refusal `bad_advance` */
function withinReach(target: ClockTarget): ClockTarget {
  if (target.now <= LATEST_INSTANT) return target
  throw new Refusal(
    'bad_advance',
    `cannot advance the clock to ${target.now}`,
    `it goes no further than ${iso(LATEST_INSTANT)}`,
  )
}

function iso(instant: number): string {
  return new Date(instant).toISOString()
}

function nextTurn(): Promise<void> {
  return new Promise(resolve => setImmediate(resolve))
}
