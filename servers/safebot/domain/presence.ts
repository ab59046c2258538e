import type { Clock } from '../../../shared/clock/clock.js'
import type { RoomPins } from './rooms.js'

/** Milliseconds that an agent without a connection stays in the participant list. The service's number. */
const LISTENING_MS = 60_000

/** Every participant name matches this: letters, digits, `@ . _ -`, and any UTF-16 unit from U+00A0 on. */
const NAME = /^[A-Za-z0-9@._\u00a0-\uffff-]+$/

/** Maximum length of a participant name in UTF-16 units. The rest is cut. */
const MAX_NAME_CHARS = 64

/**
 * Returns a participant name, cut to {@link MAX_NAME_CHARS} UTF-16 units. Undefined if the value is not a
 * valid name.
 */
export function readParticipantName(value: unknown): string | undefined {
  const name = typeof value === 'string' ? value.slice(0, MAX_NAME_CHARS) : ''
  return NAME.test(name) ? name : undefined
}

/** The name and the key that a participant claims. Neither is verified. */
export interface ParticipantInfo {
  name?: string | undefined
  /** Base64 of an X25519 public key, with which other participants can seal a message for this one. */
  boxPub?: string | undefined
}

export interface Participant extends ParticipantInfo {
  name: string
  /** Milliseconds since the participant reported that it listens. 0 while it is connected. */
  lastSeenMsAgo: number
}

/** The participant list that is sent to all participants of a room. */
export interface ParticipantList {
  /** Number of connected participants, with or without a name. */
  size: number
  /** Names of the connected participants. */
  names: string[]
  /** Named participants: the connected ones, and those that only report that they listen. */
  participants: Participant[]
}

/**
 * A snapshot of the agents that have reported that they listen. Connected participants are not in it, because
 * a connection cannot be restored.
 */
export interface ListeningSnapshot {
  /** `seenAt` is an instant in milliseconds since the epoch. */
  readonly listening: readonly (ParticipantInfo & { roomId: string; name: string; seenAt: number })[]
  /** Instant of the last sweep, in milliseconds since the epoch. */
  readonly sweptAt: number
}

/** A participant with an open connection. */
interface ConnectedParticipant extends ParticipantInfo {
  readonly onChange: ((list: ParticipantList) => void) | undefined
  readonly unpin: () => void
}

/** The participants of one room. */
interface RoomPresence {
  readonly connected: Map<object, ConnectedParticipant>
  /** Agents that have reported that they listen, by name. */
  readonly listening: Map<string, { boxPub: string | undefined; seenAt: number }>
}

/** Tracks the participants of each room. A connected participant pins its room. */
export class Presence {
  readonly #clock: Clock
  readonly #pins: RoomPins
  readonly #rooms = new Map<string, RoomPresence>()
  #sweptAt = 0

  constructor(clock: Clock, pins: RoomPins) {
    this.#clock = clock
    this.#pins = pins
  }

  /**
   * Adds a connected participant. The returned function removes it. The other participants are notified only
   * by {@link announce}.
   *
   * @param onChange receives each new participant list of the room
   */
  join(roomId: string, participant: ParticipantInfo, onChange?: (list: ParticipantList) => void): () => void {
    const room = this.#roomOf(roomId)
    const unpin = this.#pins.pin(roomId)
    const key = {}
    room.connected.set(key, { ...participant, onChange, unpin })
    return () => {
      if (!room.connected.delete(key)) return
      unpin()
      this.announce(roomId)
      this.#dropIfEmpty(roomId, room)
    }
  }

  /** Adds an agent that listens without a connection, for {@link LISTENING_MS}. Notifies the participants. */
  recordListening(roomId: string, name: string, boxPub: string | undefined): void {
    this.#sweep()
    this.#roomOf(roomId).listening.set(name, { boxPub, seenAt: this.#clock.now() })
    this.announce(roomId)
  }

  snapshot(): ListeningSnapshot {
    const listening = [...this.#rooms].flatMap(([roomId, room]) =>
      [...room.listening].map(([name, { boxPub, seenAt }]) => ({ roomId, name, boxPub, seenAt })),
    )
    return { listening, sweptAt: this.#sweptAt }
  }

  /** Removes all participants without a notification. Then restores the listening agents of the snapshot. */
  restore({ listening, sweptAt }: ListeningSnapshot): void {
    for (const { connected } of this.#rooms.values()) {
      for (const { unpin } of connected.values()) unpin()
      connected.clear()
    }
    this.#rooms.clear()
    this.#sweptAt = sweptAt
    for (const { roomId, name, boxPub, seenAt } of listening) {
      this.#roomOf(roomId).listening.set(name, { boxPub, seenAt })
    }
  }

  /** Returns the number of connected participants. */
  connectedCount(roomId: string): number {
    return this.#rooms.get(roomId)?.connected.size ?? 0
  }

  /** Returns the current participant list of a room. */
  participantList(roomId: string): ParticipantList {
    const now = this.#clock.now()
    const room = this.#rooms.get(roomId)
    if (room !== undefined) dropExpired(room, now)
    const participants = new Map<string, Participant>()
    for (const [name, { boxPub, seenAt }] of room?.listening ?? []) {
      participants.set(name, { name, boxPub, lastSeenMsAgo: now - seenAt })
    }
    const names = new Set<string>()
    for (const { name, boxPub } of room?.connected.values() ?? []) {
      if (name === undefined) continue
      names.add(name)
      participants.set(name, { name, boxPub, lastSeenMsAgo: 0 })
    }
    return { size: room?.connected.size ?? 0, names: [...names], participants: [...participants.values()] }
  }

  /** Sends the current participant list to all connected participants of a room. */
  announce(roomId: string): void {
    const room = this.#rooms.get(roomId)
    if (room === undefined) return
    const listeners = [...room.connected.values()].filter(({ onChange }) => onChange !== undefined)
    if (listeners.length === 0) return
    const list = this.participantList(roomId)
    for (const { onChange } of listeners) onChange?.(list)
  }

  #roomOf(roomId: string): RoomPresence {
    const room = this.#rooms.get(roomId) ?? { connected: new Map(), listening: new Map() }
    this.#rooms.set(roomId, room)
    return room
  }

  /** Drops expired listening agents, and rooms that then have no participants. */
  #sweep(): void {
    const now = this.#clock.now()
    if (now - this.#sweptAt < LISTENING_MS) return
    this.#sweptAt = now
    for (const [roomId, room] of this.#rooms) {
      dropExpired(room, now)
      this.#dropIfEmpty(roomId, room)
    }
  }

  #dropIfEmpty(roomId: string, room: RoomPresence): void {
    if (room.connected.size > 0 || room.listening.size > 0) return
    if (this.#rooms.get(roomId) === room) this.#rooms.delete(roomId)
  }
}

/** Drops the agents whose last report is older than {@link LISTENING_MS}. */
function dropExpired({ listening }: RoomPresence, now: number): void {
  for (const [name, { seenAt }] of listening) if (now - seenAt > LISTENING_MS) listening.delete(name)
}
