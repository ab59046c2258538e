import type { Refusal } from '../../../../shared/errors.js'
import type { StoreDatabase } from '../../../../shared/records/store-database.js'
import type { Others } from '../store.js'
import type { Announcements } from './announcements.js'

/** The topics of the notices, and what one of them says. */
export const ROOM_TOPIC = 'room'
export const STATE_TOPIC = 'safebot'
export const RESET = 'reset'

/** What an announcement says of itself in a notice. */
export function announcementNotice(roomId: string, news: number): string {
  return `${news} ${roomId}`
}

/** The other replicas, as this one hears of them. */
export class OtherReplicas implements Others {
  readonly #database: StoreDatabase
  readonly #announcements: Announcements
  readonly #off: (() => void)[] = []

  constructor(database: StoreDatabase, announcements: Announcements) {
    this.#database = database
    this.#announcements = announcements
  }

  onAnnounced(listener: (roomId: string) => void): void {
    const off = this.#database.notices.on(ROOM_TOPIC, (payload, own) => {
      if (own) return
      const [news = '', roomId = ''] = payload.split(' ')
      this.#announcements.told(roomId, Number(news))
      listener(roomId)
    })
    this.#off.push(off)
  }

  onReset(listener: () => void): void {
    const off = this.#database.notices.on(STATE_TOPIC, (payload, own) => {
      if (!own && payload === RESET) listener()
    })
    this.#off.push(off)
  }

  onGap(listener: () => void): void {
    this.#off.push(this.#database.notices.onGap(listener))
  }

  onUnavailable(listener: (refusal: Refusal) => void): void {
    const off = this.#database.notices.onAvailability(there => {
      if (!there) listener(this.#database.unavailable())
    })
    this.#off.push(off)
  }

  missed(roomIds: readonly string[]): Promise<string[]> {
    return this.#announcements.missed(roomIds)
  }

  /** Hears no more. */
  close(): void {
    for (const off of this.#off) off()
  }
}
