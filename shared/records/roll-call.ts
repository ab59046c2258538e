import type { Clock } from '../clock/clock.js'
import { wakeOrLater } from '../clock/in-time.js'
import { statement } from './statement.js'
import type { StoreDatabase } from './store-database.js'

/** How long the others have to answer, in milliseconds. */
const PATIENCE_MS = 2_000

/** How often who has asked looks whether those he waits for still live. */
const LOOK_MS = 100

/** Those that take part: a replica that starts, or stops, does not. */
const PRESENT = statement(
  'SELECT r.number FROM live_replicas JOIN replicas r USING (number) WHERE r.clock_version IS NOT NULL',
)

export interface RollCallOptions {
  store: StoreDatabase
  machine: Clock
  /** Of its notices. */
  topic: string
  /** What each replica does when it is called. If it fails, the replica does not answer. */
  answer(): Promise<void>
}

/** Has all other replicas do something, and knows when they have. */
export class RollCall {
  readonly #options: RollCallOptions
  readonly #asked: string
  readonly #told: string
  readonly #leave: (() => void)[]
  readonly #open = new Map<string, Set<number>>()
  readonly #onTold = new Set<() => void>()
  #calls = 0

  constructor(options: RollCallOptions) {
    this.#options = options
    this.#asked = `${options.topic}-asked`
    this.#told = `${options.topic}-told`
    const { notices } = options.store
    this.#leave = [
      notices.on(this.#asked, (call, own) => {
        if (!own) void this.#answer(call)
      }),
      notices.on(this.#told, payload => this.#take(payload)),
    ]
  }

  /**
   * @returns whether all replicas that live have answered
   * @throws StoreUnavailable
   */
  async call(): Promise<boolean> {
    const { store, machine } = this.#options
    if ((await this.#others()).length === 0) return true
    const call = `${store.replica}.${++this.#calls}`
    const told = new Set<number>()
    this.#open.set(call, told)
    try {
      await store.notify(this.#asked, call)
      const until = machine.now() + PATIENCE_MS
      for (;;) {
        const wake = wakeOrLater(machine, LOOK_MS, this.#onTold)
        const silent = (await this.#others()).filter(other => !told.has(other))
        if (silent.length === 0 || machine.now() >= until) {
          wake.forget()
          return silent.length === 0
        }
        await wake.promise
      }
    } finally {
      this.#open.delete(call)
    }
  }

  close(): void {
    for (const leave of this.#leave) leave()
  }

  async #others(): Promise<number[]> {
    const { store } = this.#options
    const present = await store.read<{ number: number }>(PRESENT)
    return present.map(({ number }) => number).filter(number => number !== store.replica)
  }

  async #answer(call: string): Promise<void> {
    const { store, answer } = this.#options
    try {
      await answer()
      await store.notify(this.#told, `${call} ${store.replica}`)
    } catch {
      // Who does not answer is missed.
    }
  }

  #take(payload: string): void {
    const [call = '', replica] = payload.split(' ')
    this.#open.get(call)?.add(Number(replica))
    for (const wake of this.#onTold) wake()
  }
}
