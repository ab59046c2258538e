/** A stamp may be 60 s ahead and is good for 60 s after that: so long a nonce must be remembered. */
const REMEMBERED_MS = 120_000

/** What has been used, as plain data. */
export interface UsedNonces {
  readonly used: readonly { readonly owner: string; readonly nonce: string; readonly at: number }[]
  readonly sweptAt: number
}

/** What has been used once, by whom: within the time in which it could be used again. */
export class Nonces {
  readonly #capacity: number
  /** By owner: nonces in the order they came, with their instants. */
  readonly #owners = new Map<string, Map<string, number>>()
  #sweptAt = 0

  /** @param capacity how many are kept for one owner; null: any number */
  constructor(capacity: number | null) {
    this.#capacity = capacity ?? Number.POSITIVE_INFINITY
  }

  /**
   * Takes note of a nonce; tells whether it may be used: it is new, and there is room to remember it.
   *
   * @param now milliseconds since the epoch
   */
  use(owner: string, nonce: string, now: number): boolean {
    this.#sweep(now)
    const known = this.#owners.get(owner) ?? new Map<string, number>()
    forgetOld(known, now)
    if (known.has(nonce) || known.size >= this.#capacity) return false
    known.set(nonce, now)
    this.#owners.set(owner, known)
    return true
  }

  snapshot(): UsedNonces {
    const used = [...this.#owners].flatMap(([owner, known]) =>
      [...known].map(([nonce, at]) => ({ owner, nonce, at })),
    )
    return { used, sweptAt: this.#sweptAt }
  }

  restore({ used, sweptAt }: UsedNonces): void {
    this.#sweptAt = sweptAt
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
