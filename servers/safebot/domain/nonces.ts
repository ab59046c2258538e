import type { Table } from '../../../shared/records/partition.js'

/** Milliseconds, by the instance's clock, in which the service refuses a used nonce. The service's number. */
export const REMEMBERED_MS = 120_000

/**
 * The kind of signature that a nonce belongs to. A handle may use the same nonce once for each kind. A
 * registration has no nonce field, so its signature is the nonce.
 */
export type NonceKind = 'requests' | 'messages' | 'registrations'

export const NONCE_KINDS: readonly NonceKind[] = ['requests', 'messages', 'registrations']

/** The two instants that determine how long a nonce is refused, in milliseconds since the epoch. */
export interface NonceTimes {
  /** Instant of the use, by the instance's clock. */
  readonly at: number
  /** Last instant at which the service accepts the timestamp of the signature. */
  readonly freshUntil: number
}

/** A used nonce. */
export interface UsedNonce extends NonceTimes {
  /** The handle that has signed. */
  readonly owner: string
  readonly nonce: string
}

/** The current time by both clocks that a timestamp is compared with, in milliseconds since the epoch. */
export interface ClockTimes {
  readonly instance: number
  readonly machine: number
}

/**
 * Returns whether a used nonce must still be refused.
 *
 * A nonce is refused for {@link REMEMBERED_MS} after its use, and at least until both clocks have passed
 * `freshUntil`. Before that, the timestamp is still fresh by one of the clocks, and the same signature would
 * be accepted again.
 */
export function isRemembered({ at, freshUntil }: NonceTimes, now: ClockTimes): boolean {
  return now.instance - at < REMEMBERED_MS || Math.min(now.instance, now.machine) <= freshUntil
}

/**
 * Records the use of a nonce.
 *
 * @param known the used nonces of the same handle and kind, in the order of their use
 * @param machineNow machine time, in milliseconds since the epoch
 * @param capacity maximum number of nonces within {@link REMEMBERED_MS}. Infinity: no limit
 * @returns whether the nonce may be used. False if it was used before, or if the capacity is exhausted.
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
  // A table keeps the place of an existing key. Deleting the key first moves the nonce to the end.
  known.delete(nonce)
  known.set(nonce, { at, freshUntil })
  return true
}

/**
 * Deletes the nonces that need not be refused any more.
 *
 * @param known in the order of their use
 */
export function forgetOld(known: Table<NonceTimes>, now: ClockTimes): void {
  for (const [nonce, used] of known.entries()) {
    if (now.instance - used.at < REMEMBERED_MS) break
    if (!isRemembered(used, now)) known.delete(nonce)
  }
}

/** Counts the nonces that were used within {@link REMEMBERED_MS}, to which the capacity applies. */
function countRecent(known: Table<NonceTimes>, now: number): number {
  let count = 0
  for (const [, { at }] of known.entries()) if (now - at < REMEMBERED_MS) count++
  return count
}
