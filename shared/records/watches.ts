import type { Clock, Wakeup } from '../clock/clock.js'
import type { NewsListener } from './records.js'

/** Poll interval while a partition is watched. Machine time, because a manual clock must not stop it. */
const POLL_MS = 1_000

interface Watch {
  readonly listeners: Set<NewsListener>
  /** The version of the latest announcement that the listeners know. Undefined: nothing has been read since they came. */
  news: number | undefined
}

export interface WatchesOptions {
  machine: Clock
  /** Reads the latest announcements in partitions, by name. */
  latest(names: readonly string[]): Promise<ReadonlyMap<string, number>>
}

/**
 * Notifies the watchers of partitions of each announcement once, from any replica.
 *
 * A notification can be lost. A poll finds the announcement by its version, within a second.
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

  /** A transaction of this replica has read the partition, whose latest announcement was `news`. */
  read(name: string, news: number): void {
    const watch = this.#watches.get(name)
    if (watch === undefined) return
    if (watch.news === undefined) watch.news = news
    else this.heard(name, news, false)
  }

  /** There is an announcement of version `news`. */
  heard(name: string, news: number, own: boolean, detail?: string): void {
    const watch = this.#watches.get(name)
    if (watch === undefined || news <= (watch.news ?? 0)) return
    watch.news = news
    for (const listener of [...watch.listeners]) listener({ own, detail })
  }

  /** Looks for announcements whose notification was lost. */
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
      // While the store is away, the next poll finds what this one could not.
      await this.poll().catch(() => undefined)
      this.#wakeup = undefined
      if (this.#watches.size > 0) this.#pollLater()
    })
  }
}
