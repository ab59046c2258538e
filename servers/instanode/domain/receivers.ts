import type { Clock } from '../../../shared/clock/clock.js'
import { isUnavailable } from '../../../shared/errors.js'
import type { IdSource } from '../../../shared/ids.js'
import type { Gate } from '../../../shared/util/locks.js'
import type { Log } from '../../../shared/util/log.js'
import type { Contract } from '../contract.js'
import { limitsOf } from '../limits.js'
import { type Delivery, isLive, type Resource } from './model.js'
import type { InstanodeStore } from './store.js'

export interface ReceiversOptions {
  store: InstanodeStore
  clock: Clock
  ids: IdSource
  contract: Contract
  log: Log
  gate: Gate
}

/** Whether a token is that of a receiver, and of one that still takes deliveries. */
export type ReceiverState = 'active' | 'inactive' | 'unknown'

export type DeliveryListener = (token: string, delivery: Delivery) => void

/** Webhook receivers: they take what is sent to them, and give it back. */
export class Receivers {
  readonly #options: ReceiversOptions
  readonly #listeners = new Set<DeliveryListener>()

  constructor(options: ReceiversOptions) {
    this.#options = options
  }

  async state(token: string): Promise<ReceiverState> {
    const receiver = await this.#find(token)
    if (receiver === undefined) return 'unknown'
    return isLive(receiver, this.#options.clock.now()) ? 'active' : 'inactive'
  }

  /** Keeps a delivery, if the receiver (still) takes it. @returns its id, undefined if it was not taken */
  take(token: string, request: Omit<Delivery, 'id' | 'receivedAt'>): Promise<string | undefined> {
    return this.#options.gate.pass(() => this.#take(token, request))
  }

  async #take(token: string, request: Omit<Delivery, 'id' | 'receivedAt'>): Promise<string | undefined> {
    const { store, clock, ids, contract, log } = this.#options
    const [generation, receiver] = await Promise.all([store.generation(), this.#find(token)])
    const receivedAt = clock.now()
    if (receiver === undefined || !isLive(receiver, receivedAt)) return undefined
    const delivery: Delivery = { id: ids.uuid(), receivedAt, ...request }
    const keep = limitsOf(receiver.tier, contract).requestsStored
    try {
      if (!(await store.pushDelivery(token, delivery, keep, generation))) return undefined
    } catch (error) {
      // The store is away for a while, which is no failure of the service. The sender may try again.
      if (isUnavailable(error)) throw error
      // The sender could do nothing about it. The real service, too, accepts a delivery that it cannot keep.
      log.error('a delivery was taken and could not be kept', error)
      return delivery.id
    }
    this.#tell(token, delivery)
    return delivery.id
  }

  /** Calls `listener` for every delivery from now on, until the returned function is called. */
  onDelivery(listener: DeliveryListener): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  /** Tells the listeners of what a receiver has taken elsewhere. */
  async heardOf(token: string, id: string): Promise<void> {
    if (this.#listeners.size === 0) return
    const delivery = await this.#options.store.delivery(token, id)
    if (delivery !== undefined) this.#tell(token, delivery)
  }

  async #find(token: string): Promise<Resource | undefined> {
    const resource = await this.#options.store.find(token)
    return resource?.type === 'webhook' ? resource : undefined
  }

  #tell(token: string, delivery: Delivery): void {
    for (const listener of this.#listeners) {
      try {
        listener(token, delivery)
      } catch (error) {
        this.#options.log.warn('a listener for deliveries failed', error)
      }
    }
  }
}
