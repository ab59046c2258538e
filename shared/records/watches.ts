import type { Clock, Wakeup } from '../clock/clock.js'
import type { NewsListener } from './records.js'

/** Poll interval while a partition is watched. Machine time, because a manual clock must not stop it. */
const POLL_MS = 1_000

interface Watch {
  readonly listeners: Set<NewsListener>
  /**
   * Version of the latest announcement that the listeners know. Undefined: this replica has not read the
   * partition since the first listener was added.
   */
  news: number | undefined
}

export interface WatchesOptions {
  machine: Clock
  /** Reads the version of the latest announcement in each of the named partitions. */
  latest(names: readonly string[]): Promise<ReadonlyMap<string, number>>
}

/**
 * Notifies the watchers of a partition once of each announcement by any replica.
 *
 * A notification can be lost. A poll every second finds the latest announcement by its version.
 */
export class Watches {
  readonly #options: WatchesOptions
  readonly #watches = new Map<string, Watch>()
  #wakeup: Wakeup | undefined
  #closed = false

  constructor(options: WatchesOptions) {
    this.#options = options
  }

  add(name: string, listener: NewsListener): () => void {
    const watch = this.#watches.get(name) ?? { listeners: new Set(), news: undefined }
    this.#watches.set(name, watch)
    watch.listeners.add(listener)
    this.#pollLater()
    return () => {
      watch.listeners.delete(listener)
      if (watch.listeners.size === 0 && this.#watches.get(name) === watch) this.#watches.delete(name)
    }
  }

  /**
   * Called when a transaction of this replica has read a partition. `news` is the version of its latest
   * announcement.
   */
  read(name: string, news: number): void {
    const watch = this.#watches.get(name)
    if (watch === undefined) return
    if (watch.news === undefined) watch.news = news
    else this.heard(name, news, false)
  }

  /** Notifies the listeners of an announcement with the version `news`, unless they know it already. */
  heard(name: string, news: number, own: boolean, detail?: string): void {
    const watch = this.#watches.get(name)
    if (watch === undefined || news <= (watch.news ?? 0)) return
    watch.news = news
    for (const listener of [...watch.listeners]) listener({ own, detail })
  }

  /** Reads the store to find announcements whose notifications were lost. */
  async poll(): Promise<void> {
    const names = [...this.#watches].flatMap(([name, { news }]) => (news === undefined ? [] : name))
    for (const [name, news] of await this.#options.latest(names)) this.heard(name, news, false)
  }

  close(): void {
    this.#closed = true
    this.#wakeup?.cancel()
  }

  #pollLater(): void {
    if (this.#wakeup !== undefined || this.#closed) return
    const { machine } = this.#options
    this.#wakeup = machine.wakeAt(machine.now() + POLL_MS, async () => {
      // If the store is unreachable, the next poll tries again.
      await this.poll().catch(() => undefined)
      this.#wakeup = undefined
      if (this.#watches.size > 0) this.#pollLater()
    })
  }
}
