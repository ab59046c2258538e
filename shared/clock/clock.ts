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
   * First instant, in milliseconds since the epoch. Default: the machine's time if real, {@link MANUAL_START}
   * if manual.
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
 * Other parts store instants and compare them with the clock when they are read. They need wake-ups only for
 * waiting work. `advance` runs the wake-ups in the order of their instants. During each wake-up the clock
 * shows that wake-up's instant, so a wake-up never sees a later time than the one it asked for.
 */
export class Clock {
  readonly #queue = new DueQueue()
  readonly #tracked = new Set<Promise<unknown>>()
  readonly #watchers = new Set<() => void>()
  readonly #onError: (error: unknown) => void
  #mode: ClockMode
  /** The time of a manual clock, or of a real clock during an `advance`. Otherwise undefined. */
  #held: number | undefined
  /** Milliseconds by which a real clock is ahead of the machine. */
  #offset = 0
  readonly #beganAs: ClockMode
  /** The initial value: the time of a manual clock, or the offset of a real one. */
  readonly #began: number
  /** Strategy for a clock that replicas share. Undefined: the clock is not shared. */
  #driver: ClockDriver | undefined
  #timer: NodeJS.Timeout | undefined
  /** Whether an `advance` is in progress. */
  #walking = false
  #advancing: Promise<unknown> = Promise.resolve()
  #closed = false

  constructor(options: ClockOptions = {}) {
    this.#mode = options.mode ?? 'real'
    this.#beganAs = this.#mode
    this.#onError = options.onError ?? (error => process.emitWarning(String(error), 'ClockWarning'))
    if (this.#mode === 'manual') this.#held = options.start ?? MANUAL_START
    else if (options.start !== undefined) this.#offset = options.start - machineNow()
    this.#began = this.#held ?? this.#offset
  }

  get mode(): ClockMode {
    return this.#mode
  }

  /** Milliseconds since the epoch. Time decreases only through {@link set} or {@link restore}. */
  now(): number {
    return this.#held ?? Math.floor(machineNow() + this.#offset)
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

  /** Resolves once at least `count` wake-ups are pending. A test uses it to wait until a call is waiting. */
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
   * Sets the mode, the time, or both. Resolves with the new time when all work that fell due has ended. Time
   * can be set back only if the new mode is manual, and that runs no wake-ups.
   *
   * @throws Refusal `bad_clock` for an invalid mode or time, `clock_backwards`, `clock_closed`. The clock is
   *   unchanged then
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
        'set its mode to manual along with it',
      )
    })
  }

  /** Returns the current mode and time. */
  snapshot(): ClockSnapshot {
    return { mode: this.#mode, now: this.now() }
  }

  /**
   * Sets the clock to a snapshot, forwards or backwards, without running wake-ups. The caller replaces the
   * state as well. Wake-ups stay pending, and past ones run at the next tick or `advance`.
   */
  async restore(snapshot: ClockSnapshot): Promise<void> {
    await this.#move(() => ({ ...snapshot, walk: false }))
  }

  /** Returns the mode and time that the clock would have if it had never been changed. */
  beginning(): ClockSnapshot {
    if (this.#driver !== undefined) return this.#driver.beginning()
    return {
      mode: this.#beganAs,
      now: this.#beganAs === 'manual' ? this.#began : Math.floor(machineNow() + this.#began),
    }
  }

  /**
   * Runs `work` after the current change of the clock and before later changes. The clock cannot be changed
   * meanwhile, but a real clock continues to tick.
   *
   * @param work its argument `show` sets the clock to a snapshot, as {@link restore} does
   * @throws Refusal `clock_closed`, or the error of `work`
   */
  betweenSteps<T>(work: (show: (snapshot: ClockSnapshot) => Promise<void>) => Promise<T>): Promise<T> {
    if (this.#driver !== undefined) return this.#driver.betweenSteps(work)
    return this.#inTurn(() => work(async snapshot => void this.#show(snapshot)))
  }

  /** Sets the driver of a shared clock, and returns it. Call it before the clock is changed. */
  drive<Driver extends ClockDriver>(by: (controls: ClockControls) => Driver): Driver {
    const driver = by({ inTurn: move => this.#inTurn(move), go: (to, walk) => this.#follow(to, walk) })
    this.#driver = driver
    return driver
  }

  /** Drops every pending wake-up and stops ticking. */
  close(): void {
    this.#closed = true
    clearTimeout(this.#timer)
    while (this.#queue.take(Number.POSITIVE_INFINITY) !== undefined);
  }

  #move(movement: ClockUpdate): Promise<number> {
    if (this.#driver !== undefined) return this.#driver.move(movement)
    return this.#inTurn(() => {
      const { mode, now, walk } = movement(this.snapshot())
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
    const step = this.#advancing.then(() => {
      if (this.#closed) throw closed()
      return move()
    })
    this.#advancing = step.catch(() => undefined)
    return step
  }

  /** @param mode the mode of the clock after the walk */
  async #walkTo(target: number, mode: ClockMode): Promise<number> {
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
      this.#show({ mode, now: target })
    }
    return target
  }

  #show({ mode, now }: ClockSnapshot): number {
    this.#mode = mode
    this.#held = mode === 'manual' ? now : undefined
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
   * Waits for tracked work. One turn of the event loop runs all pending microtasks, and so all continuations
   * in memory.
   */
  async #settle(): Promise<void> {
    await turn()
    while (this.#tracked.size > 0) {
      await Promise.allSettled(this.#tracked)
      await turn()
    }
  }

  #cancel(due: QueuedWakeup): void {
    const wasNext = this.#queue.peek() === due
    this.#queue.remove(due)
    if (wasNext) this.#arm()
  }

  /** Sets the one timer of a real clock to the earliest due item. */
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

function turn(): Promise<void> {
  return new Promise(resolve => setImmediate(resolve))
}
