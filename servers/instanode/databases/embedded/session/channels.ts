import { BODY, type Frame, frame, int32, readCstring } from '../wire/frames.js'

const NAME = String.raw`("(?:[^"]|"")+"|[a-z_\u0080-\uffff][\w$\u0080-\uffff]*)`
const LISTEN_OR_UNLISTEN = new RegExp(String.raw`\b(un)?listen\s+(?:${NAME}|(\*))`, 'gi')

/** Tracks which client listens on which channel. The engine has one set of channels for all clients. */
export class Channels<Client> {
  readonly #listeners = new Map<string, Set<Client>>()

  /** Every channel with a listener. */
  get names(): string[] {
    return [...this.#listeners.keys()]
  }

  listeners(channel: string): Iterable<Client> {
    return this.#listeners.get(channel) ?? []
  }

  /**
   * Records LISTEN and UNLISTEN commands that have succeeded.
   *
   * @returns true if the engine may have stopped listening for other clients too
   */
  record(client: Client, sql: string): boolean {
    let left = false
    for (const [, un, name, all] of sql.matchAll(LISTEN_OR_UNLISTEN)) {
      if (un === undefined && name !== undefined) this.#add(client, fold(name))
      else if (all !== undefined) this.removeAll(client)
      else if (name !== undefined) this.#remove(client, fold(name))
      left ||= un !== undefined
    }
    return left
  }

  removeAll(client: Client): void {
    for (const channel of this.names) this.#remove(client, channel)
  }

  /** SQL that makes the engine listen on the channels of all clients. */
  get listenSql(): string {
    return this.names.map(name => `LISTEN "${name.replaceAll('"', '""')}"`).join(';')
  }

  #add(client: Client, channel: string): void {
    const listeners = this.#listeners.get(channel) ?? new Set()
    this.#listeners.set(channel, listeners.add(client))
  }

  #remove(client: Client, channel: string): void {
    const listeners = this.#listeners.get(channel)
    listeners?.delete(client)
    if (listeners?.size === 0) this.#listeners.delete(channel)
  }
}

/** Folds an unquoted name to lower case, as PostgreSQL does. */
function fold(name: string): string {
  return name.startsWith('"') ? name.slice(1, -1).replaceAll('""', '"') : name.toLowerCase()
}

/** Returns the channel of a NotificationResponse. */
export function channelOf({ bytes }: Frame): string {
  return readCstring(bytes, BODY + 4).text
}

/** Returns the notification with the process id of the client that sent it. The engine would give its own. */
export function withSenderPid(pid: number, { bytes }: Frame): Buffer {
  return frame('A', int32(pid), bytes.subarray(BODY + 4))
}
