/** The service refuses a nonce for this long after its use, in milliseconds by the instance's clock. */
export const REMEMBERED_MS = 120_000

/** What a nonce was spent on: those of one kind are not those of another. A registration's is its signature. */
export type NonceKind = 'requests' | 'messages' | 'registrations'

export const NONCE_KINDS: readonly NonceKind[] = ['requests', 'messages', 'registrations']

/** What has been used, by whom and when, as plain data. */
export interface UsedNonce {
  readonly owner: string
  readonly nonce: string
  /** Instant of its use by the instance's clock, in milliseconds since the epoch. */
  readonly at: number
  /** Last instant at which the signature's timestamp is fresh, in milliseconds since the epoch. */
  readonly freshUntil: number
}

/** The present instant by each clock that a timestamp is compared with, in milliseconds since the epoch. */
export interface ClockTimes {
  readonly instance: number
  readonly machine: number
}

/**
 * Returns whether a used nonce must still be refused.
 *
 * A nonce is forgotten {@link REMEMBERED_MS} after its use, but never before both clocks have passed its timestamp.
 * Until then a jump of the instance's clock could make the same signature fresh again.
 */
export function isRemembered(
  { at, freshUntil }: Pick<UsedNonce, 'at' | 'freshUntil'>,
  now: ClockTimes,
): boolean {
  return now.instance - at < REMEMBERED_MS || Math.min(now.instance, now.machine) <= freshUntil
}

/** What has been used once, by whom: within the time in which it could be used again. */
export class Nonces {
  /** By owner: nonces in the order they came. */
  readonly #owners = new Map<string, Map<string, UsedNonce>>()
  #sweptAt = 0

  /** See `SafebotStore.useNonce`. */
  use(used: UsedNonce, capacity: number, machineNow: number): boolean {
    const { owner, nonce, at } = used
    const now = { instance: at, machine: machineNow }
    this.#sweep(now)
    const known = this.#owners.get(owner) ?? new Map<string, UsedNonce>()
    const before = known.get(nonce)
    if (before !== undefined && isRemembered(before, now)) return false
    if (capacity !== Number.POSITIVE_INFINITY && countRecent(known, at) >= capacity) return false
    // Deleted first, so that the map stays in the order of use.
    known.delete(nonce)
    known.set(nonce, used)
    this.#owners.set(owner, known)
    return true
  }

  snapshot(): UsedNonce[] {
    return [...this.#owners.values()].flatMap(known => [...known.values()])
  }

  restore(used: readonly UsedNonce[]): void {
    this.#sweptAt = 0
    this.#owners.clear()
    for (const each of used) {
      const known = this.#owners.get(each.owner) ?? new Map<string, UsedNonce>()
      this.#owners.set(each.owner, known.set(each.nonce, each))
    }
  }

  /** Lets go of those who have not been heard of for a while. */
  #sweep(now: ClockTimes): void {
    if (now.instance - this.#sweptAt < REMEMBERED_MS) return
    this.#sweptAt = now.instance
    for (const [owner, known] of this.#owners) {
      forgetOld(known, now)
      if (known.size === 0) this.#owners.delete(owner)
    }
  }
}

function forgetOld(known: Map<string, UsedNonce>, now: ClockTimes): void {
  for (const [nonce, used] of known) {
    if (now.instance - used.at < REMEMBERED_MS) break
    if (!isRemembered(used, now)) known.delete(nonce)
  }
}

/** Counts the nonces that were used within {@link REMEMBERED_MS}: the capacity of an owner is for those. */
function countRecent(known: Map<string, UsedNonce>, now: number): number {
  let count = 0
  for (const { at } of known.values()) if (now - at < REMEMBERED_MS) count++
  return count
}
