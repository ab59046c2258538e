import type { Wakeup } from '../../shared/clock/clock.js'
import { isUnavailable } from '../../shared/errors.js'
import type { Instance } from '../../shared/instance.js'
import type { Notices } from '../../shared/records/notices.js'
import type { Reaper } from './domain/reaper.js'
import type { Receivers } from './domain/receivers.js'
import { readNews, TOPIC } from './store/postgres/postgres-store.js'
import type { InstanodeStore } from './store/store.js'

/** A notice that is lost costs this long, in milliseconds of the machine's. */
const POLL_MS = 5_000

export interface ReplicasOptions {
  instance: Pick<Instance, 'machine' | 'log'>
  store: { readonly notices: Pick<Notices, 'on' | 'onGap'> }
  local: {
    readonly store: Pick<InstanodeStore, 'epoch'>
    readonly reaper: Pick<Reaper, 'watch' | 'resume'>
    readonly receivers: Pick<Receivers, 'heardOf'>
  }
  /** Follows the state that another replica has put in place. */
  state: { replaced(): Promise<void> }
}

/**
 * Keeps up with the other replicas: what they make is reaped here too if they are gone by then, what their
 * receivers take is heard of, and a state that one of them puts in place is this one's as well.
 */
export class Replicas {
  readonly #options: ReplicasOptions
  readonly #leave: (() => void)[]
  /** The last state that this replica knows to be in place. */
  #epoch = 0
  #poll: Wakeup | undefined
  #closed = false

  private constructor(options: ReplicasOptions) {
    this.#options = options
    const { notices } = options.store
    this.#leave = [
      notices.on(TOPIC, (payload, own) => this.#take(payload, own)),
      notices.onGap(() => this.#do(() => this.#look())),
    ]
  }

  /** @throws StoreUnavailable */
  static async join(options: ReplicasOptions): Promise<Replicas> {
    const replicas = new Replicas(options)
    replicas.#epoch = Math.max(replicas.#epoch, await options.local.store.epoch())
    replicas.#pollLater()
    return replicas
  }

  close(): void {
    this.#closed = true
    this.#poll?.cancel()
    for (const leave of this.#leave) leave()
  }

  #take(payload: string, own: boolean): void {
    const { reaper, receivers } = this.#options.local
    const news = readNews(payload)
    if (own) {
      if (news?.kind === 'reset') this.#epoch = Math.max(this.#epoch, news.epoch)
      return
    }
    if (news?.kind === 'due') reaper.watch(news.instant)
    if (news?.kind === 'reset') this.#do(() => this.#follow(news.epoch))
    if (news?.kind === 'delivery') this.#do(() => receivers.heardOf(news.token, news.id))
  }

  async #follow(epoch: number): Promise<void> {
    if (epoch <= this.#epoch) return
    await this.#options.state.replaced()
    this.#epoch = Math.max(this.#epoch, epoch)
  }

  /** For what a notice that was lost would have told. */
  async #look(): Promise<void> {
    const { store, reaper } = this.#options.local
    await this.#follow(await store.epoch())
    await reaper.resume()
  }

  #pollLater(): void {
    const { machine } = this.#options.instance
    this.#poll = machine.wakeAt(machine.now() + POLL_MS, async () => {
      await this.#do(() => this.#look())
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
