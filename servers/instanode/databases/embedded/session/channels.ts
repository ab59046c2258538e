import { BODY, type Frame, frame, int32, readCstring } from '../wire/frames.js'
import type { ClientSession } from './client-session.js'

const NAME = String.raw`("(?:[^"]|"")+"|[a-z_\u0080-\uffff][\w$\u0080-\uffff]*)`
const LISTEN_OR_UNLISTEN = new RegExp(String.raw`\b(un)?listen\s+(?:${NAME}|(\*))`, 'gi')

/**
 * Records which client listens on which channel. The engine listens on the channels of all clients together.
 */
export class Channels<Client> {
  readonly #listeners = new Map<string, Set<Client>>()

  /** The channels on which at least one client listens. */
  get names(): string[] {
    return [...this.#listeners.keys()]
  }

  listeners(channel: string): Iterable<Client> {
    return this.#listeners.get(channel) ?? []
  }

  /**
   * Records the LISTEN and UNLISTEN commands in SQL that has succeeded.
   *
   * @returns true if the SQL contains UNLISTEN. The engine may then no longer listen for other clients.
   */
  record(client: Client, sql: string): boolean {
    let unlistens = false
    for (const [, un, name, all] of sql.matchAll(LISTEN_OR_UNLISTEN)) {
      if (un === undefined && name !== undefined) this.#add(client, fold(name))
      else if (all !== undefined) this.removeAll(client)
      else if (name !== undefined) this.#remove(client, fold(name))
      unlistens ||= un !== undefined
    }
    return unlistens
  }

  /** Removes a client from all channels. */
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

/** Returns the name of a channel as PostgreSQL compares it: an unquoted name in lower case. */
function fold(name: string): string {
  return name.startsWith('"') ? name.slice(1, -1).replaceAll('""', '"') : name.toLowerCase()
}

/**
 * Passes a notification to all clients that listen on its channel, except its sender.
 *
 * @param sender undefined for a notification from a statement of the session itself
 * @returns the message for the sender, if the sender listens on the channel
 */
export function notifyListeners(
  channels: Channels<ClientSession>,
  notification: Frame,
  sender: ClientSession | undefined,
): Buffer | undefined {
  const message = withSenderPid(sender?.pid ?? 0, notification)
  let forSender: Buffer | undefined
  for (const listener of channels.listeners(channelOf(notification)))
    if (listener === sender) forSender = message
    else listener.send(message)
  return forSender
}

/** Returns the channel of a NotificationResponse message. */
function channelOf({ bytes }: Frame): string {
  return readCstring(bytes, BODY + 4).text
}

/**
 * Returns a NotificationResponse message with the process id of the client that has sent the notification,
 * instead of the engine's own.
 */
function withSenderPid(pid: number, { bytes }: Frame): Buffer {
  return frame('A', int32(pid), bytes.subarray(BODY + 4))
}
