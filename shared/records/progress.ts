import type { Clock } from '../clock/clock.js'
import type { Records } from './records.js'

/** How often a waiting replica checks that the other replicas are alive, in milliseconds. */
const LOOK_MS = 100

export interface ProgressOptions {
  records: Records
  machine: Clock
  /** The partition that holds it, and nothing else. */
  partition: string
}

/** How far each replica has come with something that all of them do, in numbered steps. */
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
      // Another replica may have taken this one for dead, and removed it. If the store is gone again, there is another gap.
      if (this.#reported > 0) void this.report(this.#reported).catch(() => undefined)
    })
  }

  /** Reports that this replica has reached a step. After its first report, the others wait for it. @throws StoreUnavailable */
  async report(step: number): Promise<void> {
    const { records, partition } = this.#options
    const replica = String(records.replica)
    await records.transaction(partition, tx => {
      const steps = tx.table<number>('steps')
      // Of two reports the one for the earlier step may come later.
      steps.set(replica, Math.max(step, steps.get(replica) ?? 0))
      tx.announce()
    })
    this.#reported = Math.max(step, this.#reported)
  }

  /** The latest step that this replica has reported. 0: none. */
  get reported(): number {
    return this.#reported
  }

  /**
   * Waits until every replica that lives has come to a step, or the time is over.
   *
   * @param patienceMs milliseconds of the machine's time
   * @returns the numbers of the replicas that have not
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

  /** Ends the reports of this replica, so that the others no longer wait for it. @throws StoreUnavailable */
  async leave(): Promise<void> {
    this.#unwatch()
    this.#reported = 0
    const { records, partition } = this.#options
    await records.transaction(partition, tx => {
      tx.table<number>('steps').delete(String(records.replica))
      tx.announce()
    })
  }

  /** The numbers of the replicas that have not come to a step. Removes replicas that do not live any more. */
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
 * Waits for a notification, or for the time at which the caller looks itself.
 *
 * @param ms milliseconds of the machine's time
 * @param listeners the functions that a notification calls
 * @returns a promise that resolves then, and `forget`, which ends the wait without resolving it
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
