import type { RoomAddress } from './room-url.js'

const MAX_LABEL_CHARS = 64

/** What one agent goes by in one room. */
interface Appearance {
  label: string
  /** Every label it has sent under here. */
  readonly used: Set<string>
  leave: (() => void) | undefined
}

/**
 * One agent as its MCP client would remember it: the handle it claims under, the label it has in each room, the
 * room it was last busy in. It lasts as long as its session.
 */
export class Agent {
  readonly #rooms = new Map<string, Appearance>()
  readonly #defaultLabel: string
  #activeUrl: string | undefined

  /**
   * @param handle what it claims and acknowledges under
   * @param lasting whether it is present in the rooms it is busy in; a caller without a session is not
   * @param label its default label in rooms; default: the handle
   */
  constructor(
    readonly handle: string,
    readonly lasting: boolean,
    label?: string,
  ) {
    this.#defaultLabel = cleanLabel(label) ?? handle
  }

  label(roomId: string): string {
    return this.#rooms.get(roomId)?.label ?? this.#defaultLabel
  }

  /** The labels whose messages are its own in a room. */
  labels(roomId: string): string[] {
    const appearance = this.#rooms.get(roomId)
    return appearance === undefined
      ? [this.#defaultLabel]
      : [...new Set([appearance.label, ...appearance.used])]
  }

  /**
   * Appears in a room, under a new label if one is given; that label stays.
   *
   * @param join makes it present there; called once a room
   */
  enter(roomId: string, join: (roomId: string) => () => void, name?: string): void {
    const appearance = this.#rooms.get(roomId) ?? {
      label: this.#defaultLabel,
      used: new Set(),
      leave: this.lasting ? join(roomId) : undefined,
    }
    appearance.label = cleanLabel(name) ?? appearance.label
    this.#rooms.set(roomId, appearance)
  }

  /** Notes that it has sent under its present label. */
  sent(roomId: string): void {
    this.#rooms.get(roomId)?.used.add(this.label(roomId))
  }

  /** Makes a room the active one; tells whether that is a change. */
  activate({ url }: RoomAddress): boolean {
    const changed = url !== this.#activeUrl
    this.#activeUrl = url
    return changed
  }

  /** Leaves every room. */
  leave(): void {
    for (const appearance of this.#rooms.values()) appearance.leave?.()
    this.#rooms.clear()
  }
}

/** A label as the client writes it: trimmed, cut, without a leading @, which is for verified senders. */
function cleanLabel(name: string | undefined): string | undefined {
  const label = name?.trim().slice(0, MAX_LABEL_CHARS).replace(/^@+/, '')
  return label === '' ? undefined : label
}
