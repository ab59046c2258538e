/** A stamp may be 60 s ahead and is good for 60 s after that: so long a nonce must be remembered. */
export const REMEMBERED_MS = 120_000

/** What a nonce was spent on: those of one kind are not those of another. A registration's is its signature. */
export type NonceKind = 'requests' | 'messages' | 'registrations'

export const NONCE_KINDS: readonly NonceKind[] = ['requests', 'messages', 'registrations']

/** What has been used, by whom and when, as plain data. */
export interface UsedNonce {
  readonly owner: string
  readonly nonce: string
  readonly at: number
}

/** What has been used once, by whom: within the time in which it could be used again. */
export class Nonces {
  /** By owner: nonces in the order they came, with their instants. */
  readonly #owners = new Map<string, Map<string, number>>()
  #sweptAt = 0

  /** See `SafebotStore.useNonce`. */
  use({ owner, nonce, at: now }: UsedNonce, capacity: number): boolean {
    this.#sweep(now)
    const known = this.#owners.get(owner) ?? new Map<string, number>()
    forgetOld(known, now)
    if (known.has(nonce) || known.size >= capacity) return false
    known.set(nonce, now)
    this.#owners.set(owner, known)
    return true
  }

  snapshot(): UsedNonce[] {
    return [...this.#owners].flatMap(([owner, known]) =>
      [...known].map(([nonce, at]) => ({ owner, nonce, at })),
    )
  }

  restore(used: readonly UsedNonce[]): void {
    this.#sweptAt = 0
    this.#owners.clear()
    for (const { owner, nonce, at } of used) {
      this.#owners.set(owner, (this.#owners.get(owner) ?? new Map()).set(nonce, at))
    }
  }

  /** Lets go of those who have not been heard of for a while. */
  #sweep(now: number): void {
    if (now - this.#sweptAt < REMEMBERED_MS) return
    this.#sweptAt = now
    for (const [owner, known] of this.#owners) {
      forgetOld(known, now)
      if (known.size === 0) this.#owners.delete(owner)
    }
  }
}

function forgetOld(known: Map<string, number>, now: number): void {
  for (const [nonce, at] of known) {
    if (now - at < REMEMBERED_MS) break
    known.delete(nonce)
  }
}
