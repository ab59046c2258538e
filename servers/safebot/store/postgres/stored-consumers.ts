import type { Transaction } from '../../../../shared/records/transaction.js'
import type { Consumer } from '../../domain/consumer.js'
import {
  ADD_CONSUMER,
  CHANGE_CLAIM,
  CHANGE_CONSUMER,
  CONSUMER_OF,
  CONSUMERS_OF,
  TOUCH_AND_CHANGE_CLAIM,
  TOUCH_AND_CHANGE_CONSUMER,
} from './room-statements.js'
import { type ConsumerRow, consumerValues, readConsumer } from './rows.js'

/** The consumers of one room within a transaction: as they are stored, and as they are to be. */
export class StoredConsumers {
  readonly #tx: Transaction
  readonly #roomId: string
  /** By handle; undefined: it is known that there is none. */
  readonly #known = new Map<string, Consumer | undefined>()
  readonly #saved = new Map<string, { readonly claim: boolean }>()
  /** The handles of those that are stored, as far as they are known. */
  readonly #stored = new Set<string>()
  /** Whose first claim here this is, with how many rooms each may have claims in. */
  readonly #firstClaims = new Map<string, number>()

  constructor(tx: Transaction, roomId: string) {
    this.#tx = tx
    this.#roomId = roomId
  }

  /** Whose claims in other rooms may be too many once this is kept: by handle, with how many may stay. */
  get firstClaims(): ReadonlyMap<string, number> {
    return this.#firstClaims
  }

  /** Takes note of a consumer that was looked up ahead. */
  know(handle: string, consumer: Consumer | undefined): void {
    if (this.#known.has(handle)) return
    this.#known.set(handle, consumer)
    if (consumer !== undefined) this.#stored.add(handle)
  }

  async of(handle: string): Promise<Consumer | undefined> {
    if (this.#known.has(handle)) return this.#known.get(handle)
    const [row] = await this.#tx.query<ConsumerRow>(CONSUMER_OF, [this.#roomId, handle])
    this.know(handle, row && readConsumer(this.#roomId, row))
    return this.#known.get(handle)
  }

  async all(): Promise<Consumer[]> {
    const rows = await this.#tx.query<ConsumerRow>(CONSUMERS_OF, [this.#roomId])
    for (const row of rows) this.know(row.handle, readConsumer(this.#roomId, row))
    return [...this.#known.values()].filter(consumer => consumer !== undefined)
  }

  async save(consumer: Consumer): Promise<void> {
    await this.of(consumer.handle)
    const { claim } = this.#saved.get(consumer.handle) ?? { claim: false }
    this.#set(consumer, claim)
  }

  async claim(consumer: Consumer, keep: number): Promise<void> {
    if ((await this.of(consumer.handle)) === undefined) this.#firstClaims.set(consumer.handle, keep)
    this.#set(consumer, true)
  }

  /**
   * Sends those that have changed.
   *
   * @param touchedAt when the room was last active, if that has changed and one of them can be sent with it
   * @returns whether one of them was
   */
  store(touchedAt: number | undefined): boolean {
    let touching = touchedAt
    for (const [handle, { claim }] of this.#saved) {
      const consumer = this.#known.get(handle)
      if (consumer === undefined) continue
      const values = consumerValues(consumer)
      if (!this.#stored.has(handle)) this.#tx.send(ADD_CONSUMER, values)
      else if (touching === undefined) this.#tx.send(claim ? CHANGE_CLAIM : CHANGE_CONSUMER, values)
      else {
        const change = claim ? TOUCH_AND_CHANGE_CLAIM : TOUCH_AND_CHANGE_CONSUMER
        this.#tx.send(change, [...values, touching])
        touching = undefined
      }
    }
    return touching !== touchedAt
  }

  #set(consumer: Consumer, claim: boolean): void {
    this.#known.set(consumer.handle, consumer)
    // Sent in the order of the latest claims.
    this.#saved.delete(consumer.handle)
    this.#saved.set(consumer.handle, { claim })
  }
}
