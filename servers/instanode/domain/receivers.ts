import type { Clock } from '../../../shared/clock/clock.js'
import { isUnavailable } from '../../../shared/errors.js'
import type { IdSource } from '../../../shared/ids.js'
import type { RwLock } from '../../../shared/util/locks.js'
import type { Log } from '../../../shared/util/log.js'
import type { Contract } from '../contract.js'
import { tierLimits } from '../limits.js'
import { type Delivery, isLive } from './model.js'
import type { InstanodeStore } from './store.js'

export interface ReceiversOptions {
  store: InstanodeStore
  clock: Clock
  ids: IdSource
  contract: Contract
  log: Log
  lock: RwLock
}

/**
 * The state of a receiver: `unknown` if no receiver has the token, `inactive` if the receiver accepts no more
 * deliveries.
 */
export type ReceiverState = 'active' | 'inactive' | 'unknown'

export type DeliveryListener = (token: string, delivery: Delivery) => void

/** Stores the deliveries to webhook receivers, and passes them to listeners. */
export class Receivers {
  readonly #options: ReceiversOptions
  readonly #listeners = new Set<DeliveryListener>()

  constructor(options: ReceiversOptions) {
    this.#options = options
  }

  async state(token: string): Promise<ReceiverState> {
    const { receiver } = await this.#options.store.receiver(token)
    if (receiver === undefined) return 'unknown'
    return isLive(receiver, this.#options.clock.now()) ? 'active' : 'inactive'
  }

  /**
   * Stores a delivery if the receiver is active.
   *
   * @returns the id of the delivery, or undefined if the receiver is unknown or inactive
   */
  storeDelivery(token: string, request: Omit<Delivery, 'id' | 'receivedAt'>): Promise<string | undefined> {
    return this.#options.lock.shared(() => this.#storeDelivery(token, request))
  }

  async #storeDelivery(
    token: string,
    request: Omit<Delivery, 'id' | 'receivedAt'>,
  ): Promise<string | undefined> {
    const { store, clock, ids, contract, log } = this.#options
    const { receiver, generation } = await store.receiver(token)
    const receivedAt = clock.now()
    if (receiver === undefined || !isLive(receiver, receivedAt)) return undefined
    const delivery: Delivery = { id: ids.uuid(), receivedAt, ...request }
    const keep = tierLimits(receiver.tier, contract).requestsStored
    try {
      if (!(await store.pushDelivery(token, delivery, keep, generation))) return undefined
    } catch (error) {
      // While the store is unavailable, the sender gets an error, because the sender can retry later.
      if (isUnavailable(error)) throw error
      // No retry helps against another error. The real service
      // also answers 200 for a delivery that it cannot store.
      log.error('a delivery was answered with 200 and could not be stored', error)
      return delivery.id
    }
    this.#notifyListeners(token, delivery)
    return delivery.id
  }

  /** Calls `listener` for every delivery from now on, until the returned function is called. */
  onDelivery(listener: DeliveryListener): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  /** Reads a delivery that another replica has stored, and passes it to the listeners. */
  async deliveredElsewhere(token: string, id: string): Promise<void> {
    if (this.#listeners.size === 0) return
    const delivery = await this.#options.store.delivery(token, id)
    if (delivery !== undefined) this.#notifyListeners(token, delivery)
  }

  #notifyListeners(token: string, delivery: Delivery): void {
    for (const listener of this.#listeners) {
      try {
        listener(token, delivery)
      } catch (error) {
        this.#options.log.warn('a listener for deliveries has thrown an error', error)
      }
    }
  }
}
