import { z } from 'zod'
import type { Clock } from '../../../shared/clock/clock.js'
import { checked, strict } from '../../../shared/util/check.js'
import type { Limit } from './model.js'

const snapshotSchema = z.array(
  strict({
    counter: z.string(),
    windowStart: z.int(),
    spent: z.array(z.tuple([z.string(), z.int().min(0)])),
  }),
)

/** What one call has taken from a counter. */
export interface Reservation {
  giveBack(): void
}

/** Whom a limit counts that counts everybody together. */
const EVERYBODY = ''

/**
 * A count for each window, and within it for each grant if the limit is one for each.
 *
 * Windows are fixed and follow one another from the epoch on. They turn for all grants at once, so that a counter forgets
 * everybody as one turns, and holds no more than who has called since.
 */
class Counter {
  #windowStart = 0
  readonly #spent = new Map<string, number>()
  /** Moves on when counts are put back: what was reserved before belongs to another past. */
  #past = 0

  constructor(readonly limit: Limit) {}

  spent(now: number, grant: string): number {
    this.#turn(now)
    return this.#spent.get(this.#key(grant)) ?? 0
  }

  reserve(now: number, grant: string, amount: number): Reservation | undefined {
    const after = this.spent(now, grant) + amount
    if (after > this.limit.max) return undefined
    const key = this.#key(grant)
    this.#spent.set(key, after)
    const [windowStart, past] = [this.#windowStart, this.#past]
    return {
      giveBack: () => {
        // The answer may come when the window has turned: what it would give back is no longer counted.
        if (this.#windowStart !== windowStart || this.#past !== past) return
        this.#spent.set(key, (this.#spent.get(key) ?? 0) - amount)
      },
    }
  }

  snapshot(now: number) {
    this.#turn(now)
    return { counter: this.limit.counter, windowStart: this.#windowStart, spent: [...this.#spent] }
  }

  restore(windowStart: number, spent: readonly (readonly [string, number])[]): void {
    this.#past++
    this.#windowStart = windowStart
    this.#spent.clear()
    for (const [grant, amount] of spent) this.#spent.set(grant, amount)
  }

  #key(grant: string): string {
    return this.limit.perGrant ? grant : EVERYBODY
  }

  #turn(now: number): void {
    const start = now - (now % this.limit.windowMs)
    if (start === this.#windowStart) return
    this.#windowStart = start
    this.#spent.clear()
  }
}

/** The counters of a policy, by name. */
export class Counters {
  readonly #clock: Clock
  readonly #counters: ReadonlyMap<string, Counter>

  constructor(limits: readonly Limit[], clock: Clock) {
    this.#clock = clock
    this.#counters = new Map(limits.map(limit => [limit.counter, new Counter(limit)]))
  }

  /** What the counter stands at for `grant` in the window that is now; one that nothing moves stands at 0. */
  spent(counter: string, grant: string): number {
    return this.#counters.get(counter)?.spent(this.#clock.now(), grant) ?? 0
  }

  /** Takes `amount` if that leaves the counter within its limit; undefined if not, and then nothing has changed. */
  reserve(counter: string, grant: string, amount: number): Reservation | undefined {
    return this.#counters.get(counter)?.reserve(this.#clock.now(), grant, amount)
  }

  snapshot() {
    return [...this.#counters.values()].map(counter => counter.snapshot(this.#clock.now()))
  }

  /** @throws Refusal `bad_snapshot` */
  restore(snapshot: unknown): void {
    const states = new Map(
      checked(snapshotSchema, snapshot, 'bad_snapshot', 'policy counters').map(state => [
        state.counter,
        state,
      ]),
    )
    for (const [name, counter] of this.#counters) {
      const state = states.get(name)
      counter.restore(state?.windowStart ?? 0, state?.spent ?? [])
    }
  }
}
