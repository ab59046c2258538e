import { statement } from '../../../../shared/records/statement.js'
import type { StoreDatabase } from '../../../../shared/records/store-database.js'

/** Those of the rooms $1 in which there is something newer than $2. */
const NEWER = statement(`
  SELECT r.id, r.news FROM unnest($1::text[], $2::bigint[]) AS known (id, news)
  JOIN rooms r ON r.id = known.id WHERE r.news > known.news`)

/**
 * Up to which announcement those who wait in this process know the rooms that it holds. Each announcement
 * has a number, greater than those before it in that room; it comes with a notice, and is found in the room
 * by who missed that.
 */
export class Announcements {
  readonly #database: StoreDatabase
  /** By room; undefined: nobody has looked since it is held. */
  readonly #known = new Map<string, number | undefined>()

  constructor(database: StoreDatabase) {
    this.#database = database
  }

  /** From here on this process wants to know. */
  watch(roomId: string): void {
    if (!this.#known.has(roomId)) this.#known.set(roomId, undefined)
  }

  unwatch(roomId: string): void {
    this.#known.delete(roomId)
  }

  /** Somebody here has looked, as that was the latest. Who waits here began to wait no later. */
  seen(roomId: string, news: number): void {
    if (this.#known.has(roomId)) this.#known.set(roomId, this.#known.get(roomId) ?? news)
  }

  /** All who wait here are told of that one. */
  told(roomId: string, news: number): void {
    if (this.#known.has(roomId)) this.#known.set(roomId, Math.max(this.#known.get(roomId) ?? 0, news))
  }

  /** Those of the rooms in which there is something that nobody was told. */
  async missed(roomIds: readonly string[]): Promise<string[]> {
    const known = roomIds.flatMap(roomId => {
      const news = this.#known.get(roomId)
      return news === undefined ? [] : [{ roomId, news }]
    })
    if (known.length === 0) return []
    const newer = await this.#database.read<{ id: string; news: number }>(NEWER, [
      known.map(({ roomId }) => roomId),
      known.map(({ news }) => news),
    ])
    for (const { id, news } of newer) this.told(id, news)
    return newer.map(({ id }) => id)
  }
}
