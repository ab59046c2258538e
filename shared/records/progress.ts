import type { Clock } from '../clock/clock.js'
import type { Records } from './records.js'

/** Interval at which a waiting replica reads the progress of the other replicas, in milliseconds. */
const LOOK_MS = 100

export interface ProgressOptions {
  records: Records
  machine: Clock
  /** The name of a partition that contains only this progress. */
  partition: string
}

/** Tracks how far each replica has come in a sequence of numbered steps. */
export class Progress {
  readonly #options: ProgressOptions
  readonly #onReport = new Set<() => void>()
  readonly #unwatch: () => void
  #reported = 0

  constructor(options: ProgressOptions) {
    this.#options = options
    const { records, partition } = options
    this.#unwatch = records.watch(partition, () => {
      for (const wake of this.#onReport) wake()
    })
    records.onGap(() => {
      // Another replica may have considered this one dead, and removed it. If the store is unreachable again,
      // another gap follows.
      if (this.#reported > 0) void this.report(this.#reported).catch(() => undefined)
    })
  }

  /**
   * Reports that this replica has reached a step. From its first report on, other replicas wait for it.
   *
   * @throws StoreUnavailable
   */
  async report(step: number): Promise<void> {
    const { records, partition } = this.#options
    const replica = String(records.replica)
    await records.transaction(partition, tx => {
      const steps = tx.table<number>('steps')
      // Reports can arrive in the wrong order.
      steps.set(replica, Math.max(step, steps.get(replica) ?? 0))
      tx.announce()
    })
    this.#reported = Math.max(step, this.#reported)
  }

  /** The latest step that this replica has reported, or 0 if it has reported none. */
  get reported(): number {
    return this.#reported
  }

  /**
   * Waits until every live replica has reached a step, or the time limit is over.
   *
   * @param patienceMs time limit, in milliseconds of machine time
   * @returns the numbers of the replicas that have not reached the step
   * @throws StoreUnavailable
   */
  async gathered(step: number, patienceMs: number): Promise<number[]> {
    const { machine } = this.#options
    const until = machine.now() + patienceMs
    for (;;) {
      const reported = wakeOrLater(machine, LOOK_MS, this.#onReport)
      const behind = await this.#behind(step).catch(error => {
        reported.forget()
        throw error
      })
      if (behind.length === 0 || machine.now() >= until) {
        reported.forget()
        return behind
      }
      await reported.promise
    }
  }

  /**
   * Removes this replica from the progress, so that other replicas no longer wait for it.
   *
   * @throws StoreUnavailable
   */
  async leave(): Promise<void> {
    this.#unwatch()
    this.#reported = 0
    const { records, partition } = this.#options
    await records.transaction(partition, tx => {
      tx.table<number>('steps').delete(String(records.replica))
      tx.announce()
    })
  }

  /**
   * Returns the numbers of the replicas that have not reached a step. Removes replicas that are not alive.
   */
  #behind(step: number): Promise<number[]> {
    const { records, partition } = this.#options
    return records.transaction(
      partition,
      tx => {
        const steps = tx.table<number>('steps')
        for (const replica of [...steps.keys()]) {
          if (!tx.replicas.includes(Number(replica))) steps.delete(replica)
        }
        return [...steps.entries()].flatMap(([replica, at]) => (at < step ? Number(replica) : []))
      },
      { idleBefore: Number.POSITIVE_INFINITY },
    )
  }
}

/**
 * Waits for a report or for the next poll, whichever comes first.
 *
 * @param ms milliseconds of machine time until the poll
 * @param listeners the functions that a report calls
 * @returns `promise`, which then resolves, and `forget`, which ends the wait without resolving `promise`
 */
function wakeOrLater(
  machine: Clock,
  ms: number,
  listeners: Set<() => void>,
): { promise: Promise<void>; forget(): void } {
  let forget = () => {}
  const promise = new Promise<void>(resolve => {
    const wake = () => {
      forget()
      resolve()
    }
    const wakeup = machine.wakeAt(machine.now() + ms, wake)
    listeners.add(wake)
    forget = () => {
      wakeup.cancel()
      listeners.delete(wake)
    }
  })
  return { promise, forget }
}
