import type { StoredMessage } from '../domain/room.js'
import { unseal } from '../sealing.js'

/** The keys that this process has come by, the likeliest of each room first. The service itself has none. */
export type KeysInHand = ReadonlyMap<string, readonly Uint8Array[]>

/**
 * @param world of the rooms of the world, by room
 * @param named under which rooms have been named to the tools, which run in this process
 */
export function keysInHand(
  world: ReadonlyMap<string, Uint8Array>,
  named: ReadonlyMap<string, readonly Uint8Array[]> = new Map(),
): KeysInHand {
  const keys = new Map<string, readonly Uint8Array[]>(named)
  for (const [roomId, key] of world) keys.set(roomId, [key, ...(named.get(roomId) ?? [])])
  return keys
}

/** The text of a message, if one of the keys opens it. */
export function textOf(message: StoredMessage, keys: readonly Uint8Array[]): string | null {
  for (const key of keys) {
    const text = unseal(key, message)
    if (text !== null) return text
  }
  return null
}
