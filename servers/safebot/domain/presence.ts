import type { Clock } from '../../../shared/clock/clock.js'
import type { RoomHolders } from './rooms.js'

/** How long somebody who has said that it listens is shown as present. */
const LISTENING_MS = 60_000

/** Letters, digits and four signs; beyond ASCII, any UTF-16 unit from U+00A0 on. */
const NAME = /^[A-Za-z0-9@._\u00a0-\uffff-]+$/

/** UTF-16 units of a name that are shown. */
const MAX_NAME_CHARS = 64

/** Reads the name of a participant: its first 64 UTF-16 units. Returns undefined for a value that cannot be shown. */
export function readName(value: unknown): string | undefined {
  const name = typeof value === 'string' ? value.slice(0, MAX_NAME_CHARS) : ''
  return NAME.test(name) ? name : undefined
}

/** As what somebody appears in a room; nothing vouches for it. */
export interface Guise {
  name?: string | undefined
  /** Base64 of an X25519 key, for whoever wants to seal something for it alone. */
  boxPub?: string | undefined
}

export interface Participant extends Guise {
  name: string
  lastSeenMsAgo: number
}

/** Who is in a room, as those are told who are in it. */
export interface Gathering {
  /** How many are connected, with a name or without. */
  size: number
  names: string[]
  participants: Participant[]
}

/** Who has said that it listens, as plain data; who is connected is known by its connection. */
export interface Listening {
  readonly listening: readonly (Guise & { roomId: string; name: string; seenAt: number })[]
  readonly sweptAt: number
}

interface Present extends Guise {
  readonly onChange: ((gathering: Gathering) => void) | undefined
  readonly release: () => void
}

interface Room {
  readonly present: Map<object, Present>
  /** By name: who has said that it listens, and when. */
  readonly listening: Map<string, { boxPub: string | undefined; seenAt: number }>
}

/** Who is in which room. Whoever is connected keeps the room from being evicted. */
export class Presence {
  readonly #clock: Clock
  readonly #holders: RoomHolders
  readonly #rooms = new Map<string, Room>()
  #sweptAt = 0

  constructor(clock: Clock, holders: RoomHolders) {
    this.#clock = clock
    this.#holders = holders
  }

  /**
   * Somebody is in a room until the returned function is called; nobody is told before {@link announce}.
   *
   * @param onChange is called whenever there is something new about who is there
   */
  join(roomId: string, guise: Guise, onChange?: (gathering: Gathering) => void): () => void {
    const room = this.#of(roomId)
    const release = this.#holders.hold(roomId)
    const key = {}
    room.present.set(key, { ...guise, onChange, release })
    return () => {
      if (!room.present.delete(key)) return
      release()
      this.announce(roomId)
      this.#tidy(roomId, room)
    }
  }

  /** Somebody says that it listens, without being connected. */
  listening(roomId: string, name: string, boxPub: string | undefined): void {
    this.#sweep()
    this.#of(roomId).listening.set(name, { boxPub, seenAt: this.#clock.now() })
    this.announce(roomId)
  }

  snapshot(): Listening {
    const listening = [...this.#rooms].flatMap(([roomId, room]) =>
      [...room.listening].map(([name, { boxPub, seenAt }]) => ({ roomId, name, boxPub, seenAt })),
    )
    return { listening, sweptAt: this.#sweptAt }
  }

  /** Nobody is connected any more, without a word to the others; those listen who did then. */
  restore({ listening, sweptAt }: Listening): void {
    for (const { present } of this.#rooms.values()) {
      for (const { release } of present.values()) release()
      present.clear()
    }
    this.#rooms.clear()
    this.#sweptAt = sweptAt
    for (const { roomId, name, boxPub, seenAt } of listening) {
      this.#of(roomId).listening.set(name, { boxPub, seenAt })
    }
  }

  /** How many are connected. */
  count(roomId: string): number {
    return this.#rooms.get(roomId)?.present.size ?? 0
  }

  gathering(roomId: string): Gathering {
    const now = this.#clock.now()
    const room = this.#rooms.get(roomId)
    if (room !== undefined) forgetSilent(room, now)
    const participants = new Map<string, Participant>()
    for (const [name, { boxPub, seenAt }] of room?.listening ?? []) {
      participants.set(name, { name, boxPub, lastSeenMsAgo: now - seenAt })
    }
    const names = new Set<string>()
    for (const { name, boxPub } of room?.present.values() ?? []) {
      if (name === undefined) continue
      names.add(name)
      participants.set(name, { name, boxPub, lastSeenMsAgo: 0 })
    }
    return { size: room?.present.size ?? 0, names: [...names], participants: [...participants.values()] }
  }

  /** Tells everybody in a room who is there. */
  announce(roomId: string): void {
    const room = this.#rooms.get(roomId)
    if (room === undefined) return
    const told = [...room.present.values()].filter(({ onChange }) => onChange !== undefined)
    if (told.length === 0) return
    const gathering = this.gathering(roomId)
    for (const { onChange } of told) onChange?.(gathering)
  }

  #of(roomId: string): Room {
    const room = this.#rooms.get(roomId) ?? { present: new Map(), listening: new Map() }
    this.#rooms.set(roomId, room)
    return room
  }

  /** Lets go of rooms in which nobody listens any more. */
  #sweep(): void {
    const now = this.#clock.now()
    if (now - this.#sweptAt < LISTENING_MS) return
    this.#sweptAt = now
    for (const [roomId, room] of this.#rooms) {
      forgetSilent(room, now)
      this.#tidy(roomId, room)
    }
  }

  #tidy(roomId: string, room: Room): void {
    if (room.present.size > 0 || room.listening.size > 0) return
    if (this.#rooms.get(roomId) === room) this.#rooms.delete(roomId)
  }
}

/** Lets go of those who have not said for a while that they listen. */
function forgetSilent({ listening }: Room, now: number): void {
  for (const [name, { seenAt }] of listening) if (now - seenAt > LISTENING_MS) listening.delete(name)
}
