import type { Table } from '../../../shared/records/partition.js'

/** A stamp may be 60 s ahead and is good for 60 s after that: so long a nonce must be remembered. */
export const REMEMBERED_MS = 120_000

/** What a nonce was spent on: those of one kind are not those of another. A registration's is its signature. */
export type NonceKind = 'requests' | 'messages' | 'registrations'

export const NONCE_KINDS: readonly NonceKind[] = ['requests', 'messages', 'registrations']

/** What has been used, by which handle and when. */
export interface UsedNonce {
  readonly owner: string
  readonly nonce: string
  readonly at: number
}

/**
 * Takes note of a nonce among those of one owner and kind, in the order in which they came, with their instants.
 *
 * @returns whether it may be used: it is new, and there is space to remember it
 */
export function spendNonce(known: Table<number>, nonce: string, now: number, capacity: number): boolean {
  forgetOld(known, now)
  if (known.has(nonce) || known.size >= capacity) return false
  known.set(nonce, now)
  return true
}

/** Forgets the nonces that cannot be used again. */
export function forgetOld(known: Table<number>, now: number): void {
  for (const [nonce, at] of known.entries()) {
    if (now - at < REMEMBERED_MS) break
    known.delete(nonce)
  }
}
