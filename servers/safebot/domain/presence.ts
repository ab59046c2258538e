import type { Clock } from '../../../shared/clock/clock.js'
import type { RoomPins } from './rooms.js'

/** Milliseconds that an agent is shown as present after it has said that it listens. */
const LISTENING_MS = 60_000

/** Letters, digits and four signs; beyond ASCII, any UTF-16 unit from U+00A0 on. */
const NAME = /^[A-Za-z0-9@._\u00a0-\uffff-]+$/

/** UTF-16 units of a name that are shown. */
const MAX_NAME_CHARS = 64

/** Returns the first 64 UTF-16 units of a participant's name. Undefined for a value that cannot be shown. */
export function readParticipantName(value: unknown): string | undefined {
  const name = typeof value === 'string' ? value.slice(0, MAX_NAME_CHARS) : ''
  return NAME.test(name) ? name : undefined
}

/** The name and key of a participant. They are not verified. */
export interface Guise {
  name?: string | undefined
  /** Base64 of an X25519 key. Other participants can seal a message for it. */
  boxPub?: string | undefined
}

export interface Participant extends Guise {
  name: string
  lastSeenMsAgo: number
}

/** The participant list that is broadcast to a room. */
export interface Gathering {
  /** Number of connected participants, with or without a name. */
  size: number
  names: string[]
  participants: Participant[]
}

/**
 * The agents that have said that they listen, as plain data. Connected participants are known by their
 * connection.
 */
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
  /** Agents that have said that they listen, by name. */
  readonly listening: Map<string, { boxPub: string | undefined; seenAt: number }>
}

/** Tracks the participants of each room. A connected participant keeps its room from being evicted. */
export class Presence {
  readonly #clock: Clock
  readonly #holders: RoomPins
  readonly #rooms = new Map<string, Room>()
  #sweptAt = 0

  constructor(clock: Clock, holders: RoomPins) {
    this.#clock = clock
    this.#holders = holders
  }

  /**
   * Adds a participant until the returned function is called. Other participants get no notification before
   * {@link announce}.
   *
   * @param onChange called with each new participant list
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

  /** Records that an agent listens without a connection. */
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

  /** Removes all participants without a notification, and restores the agents that listened. */
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

  /** Returns the number of connected participants. */
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

  /** Sends the participant list to all participants of a room. */
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

  /** Drops rooms without participants and listening agents. */
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

/** Drops agents that have not repeated that they listen. */
function forgetSilent({ listening }: Room, now: number): void {
  for (const [name, { seenAt }] of listening) if (now - seenAt > LISTENING_MS) listening.delete(name)
}
