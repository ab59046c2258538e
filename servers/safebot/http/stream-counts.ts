import { ServiceRefusal } from '../domain/refusals.js'

/** How many event streams are open from each address. */
export class StreamCounts {
  readonly #limit: number | null
  readonly #open = new Map<string, number>()

  /** @param limit for one address; null: any number */
  constructor(limit: number | null) {
    this.#limit = limit
  }

  /**
   * Counts a stream in, until the returned function is called.
   *
   * @throws ServiceRefusal 429 past the limit
   */
  enter(address: string): () => void {
    const open = this.#open.get(address) ?? 0
    if (this.#limit !== null && open >= this.#limit) {
      const error = 'too many concurrent streams from this IP'
      throw new ServiceRefusal(429, { error }, 'close some of them first', 5)
    }
    this.#open.set(address, open + 1)
    return () => {
      const left = (this.#open.get(address) ?? 1) - 1
      if (left > 0) this.#open.set(address, left)
      else this.#open.delete(address)
    }
  }
}
