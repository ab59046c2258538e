import type { Table } from '../../../shared/records/partition.js'

/** The service refuses a nonce for this long after its use, in milliseconds by the instance's clock. */
export const REMEMBERED_MS = 120_000

/**
 * The use of a nonce. The same nonce may be used once for each kind. The nonce of a registration is its
 * signature.
 */
export type NonceKind = 'requests' | 'messages' | 'registrations'

export const NONCE_KINDS: readonly NonceKind[] = ['requests', 'messages', 'registrations']

/** The instants that decide for how long a nonce is refused, in milliseconds since the epoch. */
export interface NonceTimes {
  /** When it was used, by the instance's clock. */
  readonly at: number
  /** The last instant at which the signature's timestamp is fresh. */
  readonly freshUntil: number
}

/** A used nonce and its owner. */
export interface UsedNonce extends NonceTimes {
  readonly owner: string
  readonly nonce: string
}

/** The present instant by each clock that a timestamp is compared with, in milliseconds since the epoch. */
export interface ClockTimes {
  readonly instance: number
  readonly machine: number
}

/**
 * Returns whether a used nonce must still be refused.
 *
 * A nonce is forgotten {@link REMEMBERED_MS} after its use, but never before both clocks have passed its
 * timestamp. Until then a jump of the instance's clock could make the same signature fresh again.
 */
export function isRemembered({ at, freshUntil }: NonceTimes, now: ClockTimes): boolean {
  return now.instance - at < REMEMBERED_MS || Math.min(now.instance, now.machine) <= freshUntil
}

/**
 * Adds a nonce to the used ones of its owner and kind.
 *
 * @param known the owner's nonces in the order of use
 * @param capacity largest number in {@link REMEMBERED_MS}. Infinity means no limit.
 * @returns false if the nonce was used before, or the owner is above the capacity
 */
export function spendNonce(
  known: Table<NonceTimes>,
  { nonce, at, freshUntil }: UsedNonce,
  machineNow: number,
  capacity: number,
): boolean {
  const now = { instance: at, machine: machineNow }
  forgetOld(known, now)
  const before = known.get(nonce)
  if (before !== undefined && isRemembered(before, now)) return false
  if (capacity !== Number.POSITIVE_INFINITY && countRecent(known, at) >= capacity) return false
  // Deleted first, so that the table stays in the order of use.
  known.delete(nonce)
  known.set(nonce, { at, freshUntil })
  return true
}

/** Forgets the nonces that cannot be used again. */
export function forgetOld(known: Table<NonceTimes>, now: ClockTimes): void {
  for (const [nonce, used] of known.entries()) {
    if (now.instance - used.at < REMEMBERED_MS) break
    if (!isRemembered(used, now)) known.delete(nonce)
  }
}

/** Counts the nonces that were used within {@link REMEMBERED_MS}. The capacity applies to those. */
function countRecent(known: Table<NonceTimes>, now: number): number {
  let count = 0
  for (const [, { at }] of known.entries()) if (now - at < REMEMBERED_MS) count++
  return count
}
