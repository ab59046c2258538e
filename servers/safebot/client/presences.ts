import type { Clock } from '../../../shared/clock/clock.js'
import { pause } from './pause.js'
import type { ServiceHttp } from './service-http.js'
import { type Guise, Stay } from './stay.js'

/** How long a call waits for its agent to be in the room, before it goes on without. */
const SETTLE_MS = 5_000

/** Who of this process is present in which room of one service. */
export class Presences {
  readonly #http: ServiceHttp
  readonly #machine: Clock
  readonly #rooms = new Map<string, Set<Stay>>()
  #closed = false

  /** @param machine the machine's time */
  constructor(http: ServiceHttp, machine: Clock) {
    this.#http = http
    this.#machine = machine
  }

  /** Somebody is in a room, or tries to be, until the returned function is called. */
  join(roomId: string, guise?: Guise): () => void {
    if (this.#closed) return () => undefined
    const stay = new Stay({ http: this.#http, machine: this.#machine, roomId, guise })
    const stays = this.#rooms.get(roomId) ?? new Set()
    this.#rooms.set(roomId, stays.add(stay))
    return () => {
      stay.end()
      stays.delete(stay)
      if (stays.size === 0 && this.#rooms.get(roomId) === stays) this.#rooms.delete(roomId)
    }
  }

  /** Resolves once those who are to be in a room are, or it is clear that they cannot be for now. */
  async settled(roomId: string, signal: AbortSignal): Promise<void> {
    const stays = [...(this.#rooms.get(roomId) ?? [])]
    if (stays.every(stay => stay.connected)) return
    const enough = new AbortController()
    const patience = pause(this.#machine, SETTLE_MS, signal, enough.signal)
    await Promise.race([Promise.all(stays.map(stay => stay.settled())), patience])
    enough.abort()
  }

  close(): void {
    this.#closed = true
    for (const stays of this.#rooms.values()) for (const stay of stays) stay.end()
    this.#rooms.clear()
  }
}
