import type { RoomAddress } from './room-url.js'

const MAX_LABEL_CHARS = 64

/** What one agent goes by in one room. */
interface Appearance {
  readonly label: string
  /** Every label it has sent under here. */
  readonly used: Set<string>
  readonly leave: (() => void) | undefined
}

/** What an agent remembers, as plain data. */
export interface AgentMemory {
  readonly handle: string
  readonly activeUrl: string | undefined
  readonly rooms: readonly {
    readonly place: string
    readonly label: string
    readonly used: readonly string[]
  }[]
}

/**
 * One agent as its MCP client would remember it: the handle it claims under, the label it has in each room, the
 * room it was last busy in. It lasts as long as its session.
 */
export class Agent {
  readonly #rooms = new Map<string, Appearance>()
  readonly #label: string | undefined
  readonly #takeUp: (() => Promise<string>) | undefined
  #handle: string
  #takingUp: Promise<string> | undefined
  #activeUrl: string | undefined

  /**
   * @param handle what it claims and acknowledges under
   * @param lasting whether it is present in the rooms it is busy in; a caller without a session is not
   * @param label its default label in rooms; default: the handle
   * @param takeUp gets the handle that it has for good, if that is not known before it is needed
   */
  constructor(
    handle: string,
    readonly lasting: boolean,
    label?: string,
    takeUp?: () => Promise<string>,
  ) {
    this.#handle = handle
    this.#label = cleanLabel(label)
    this.#takeUp = takeUp
  }

  get handle(): string {
    return this.#handle
  }

  get #defaultLabel(): string {
    return this.#label ?? this.#handle
  }

  /**
   * To be called before it does anything under its handle.
   *
   * @throws what kept it from getting that; the next call tries again
   */
  async beSomebody(): Promise<void> {
    if (this.#takeUp === undefined) return
    this.#takingUp ??= this.#takeUp()
    try {
      this.#handle = await this.#takingUp
    } catch (error) {
      this.#takingUp = undefined
      throw error
    }
  }

  label(room: RoomAddress): string {
    return this.#rooms.get(placeOf(room))?.label ?? this.#defaultLabel
  }

  /** The labels whose messages are its own in a room. */
  labels(room: RoomAddress): string[] {
    const appearance = this.#rooms.get(placeOf(room))
    return appearance === undefined
      ? [this.#defaultLabel]
      : [...new Set([appearance.label, ...appearance.used])]
  }

  /**
   * Appears in a room, under a new label if one is given; that label stays.
   *
   * @param join makes it present there under a label; called once for each label it takes
   */
  enter(room: RoomAddress, join: (label: string) => () => void, name?: string): void {
    const known = this.#rooms.get(placeOf(room))
    const label = cleanLabel(name) ?? known?.label ?? this.#defaultLabel
    if (known?.label === label) return
    // Present anew before it leaves, so that the room is not left alone in between.
    const leave = this.lasting ? join(label) : undefined
    known?.leave?.()
    this.#rooms.set(placeOf(room), { label, used: known?.used ?? new Set(), leave })
  }

  /** Notes that it has sent under its present label. */
  sent(room: RoomAddress): void {
    this.#rooms.get(placeOf(room))?.used.add(this.label(room))
  }

  /** Makes a room the active one; tells whether that is a change. */
  activate({ url }: RoomAddress): boolean {
    const changed = url !== this.#activeUrl
    this.#activeUrl = url
    return changed
  }

  remember(): AgentMemory {
    const rooms = [...this.#rooms].map(([place, { label, used }]) => ({ place, label, used: [...used] }))
    return { handle: this.handle, activeUrl: this.#activeUrl, rooms }
  }

  /**
   * Remembers that and nothing else of this service's rooms, and is in those again. What it does elsewhere is not for this
   * service to put back.
   *
   * @param memory default: nothing
   * @param join makes it present in a room of this service under a label
   */
  recall(memory: AgentMemory | undefined, join: (roomId: string, label: string) => () => void): void {
    for (const [place, { leave }] of this.#rooms) {
      if (!isHere(place)) continue
      leave?.()
      this.#rooms.delete(place)
    }
    this.#activeUrl = memory?.activeUrl
    for (const { place, label, used } of memory?.rooms ?? []) {
      if (!isHere(place)) continue
      const leave = this.lasting ? join(place, label) : undefined
      this.#rooms.set(place, { label, used: new Set(used), leave })
    }
  }

  /** Leaves every room. */
  leave(): void {
    for (const appearance of this.#rooms.values()) appearance.leave?.()
    this.#rooms.clear()
  }
}

/** What tells one room from another: all names of this machine are one place. */
function placeOf({ here, base, roomId }: RoomAddress): string {
  return here ? roomId : `${base} ${roomId}`
}

/** No room's id has a space in it. */
function isHere(place: string): boolean {
  return !place.includes(' ')
}

/** A label as the client writes it: trimmed, cut, without a leading @, which is for verified senders. */
function cleanLabel(name: string | undefined): string | undefined {
  const label = name?.trim().slice(0, MAX_LABEL_CHARS).replace(/^@+/, '')
  return label === '' ? undefined : label
}
