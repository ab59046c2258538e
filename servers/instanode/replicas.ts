import type { Wakeup } from '../../shared/clock/clock.js'
import { isUnavailable } from '../../shared/errors.js'
import type { Instance } from '../../shared/instance.js'
import type { StoreDatabase } from '../../shared/postgres/store-database.js'
import type { Core } from './core.js'
import type { InstanodeState } from './state.js'
import { readNews, TOPIC } from './store/postgres/news.js'

/** A notice that is lost costs this long, in milliseconds of the machine's. */
const POLL_MS = 5_000

export interface ReplicasOptions {
  instance: Pick<Instance, 'machine' | 'log'>
  store: StoreDatabase
  core: Pick<Core, 'reaper' | 'receivers'>
  state: Pick<InstanodeState, 'replaced' | 'adopt'>
}

/**
 * Keeps up with the other replicas: what they make is reaped here too if they are gone by then, what their receivers take is heard
 * of, and a state that one of them puts in place is this one's as well.
 */
export class Replicas {
  readonly #options: ReplicasOptions
  readonly #leave: (() => void)[]
  #poll: Wakeup | undefined
  #closed = false

  constructor(options: ReplicasOptions) {
    this.#options = options
    const { notices } = options.store
    this.#leave = [
      notices.on(TOPIC, (payload, own) => {
        if (!own) this.#take(payload)
      }),
      notices.onGap(() => this.#do(() => options.state.adopt())),
    ]
    this.#pollLater()
  }

  close(): void {
    this.#closed = true
    this.#poll?.cancel()
    for (const leave of this.#leave) leave()
  }

  #take(payload: string): void {
    const { core, state } = this.#options
    const news = readNews(payload)
    if (news?.kind === 'due') core.reaper.watch(news.instant)
    if (news?.kind === 'reset') this.#do(() => state.replaced())
    if (news?.kind === 'delivery') this.#do(() => core.receivers.heardOf(news.token, news.id))
  }

  #pollLater(): void {
    const { instance, core } = this.#options
    this.#poll = instance.machine.wakeAt(instance.machine.now() + POLL_MS, async () => {
      await this.#do(() => core.reaper.resume())
      if (!this.#closed) this.#pollLater()
    })
  }

  /** What a store that is away keeps from being done is done with the next look, or when it is back. */
  async #do(work: () => Promise<void>): Promise<void> {
    try {
      await work()
    } catch (error) {
      if (!this.#closed && !isUnavailable(error)) {
        this.#options.instance.log.error('what another replica told could not be followed', error)
      }
    }
  }
}
