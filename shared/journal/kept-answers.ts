/** Maximum number of kept answers. All kept answers together have at most 16 MiB. */
const MAX_KEPT_ANSWERS = 256
/** Maximum size of a kept answer, in bytes. */
const LARGEST_BYTES = 64 * 1024

interface Kept {
  readonly seq: number
  /**
   * The answer as the transport received it. It is converted to text only on request, because few answers
   * are requested.
   */
  readonly answer: object | string
}

/**
 * Keeps the latest answers, each with the `seq` of its entry.
 *
 * The number of answers is small because long-lived objects slow down the garbage collector. Several thousand
 * answers made calls slower by a sixth or more.
 */
export class KeptAnswers {
  readonly #kept: (Kept | undefined)[] = new Array(MAX_KEPT_ANSWERS).fill(undefined)
  #next = 0

  /** Keeps an answer, unless it is too large. @param bytes size of the answer as text */
  keep(seq: number, answer: object | string, bytes: number): void {
    if (bytes > LARGEST_BYTES) return
    this.#kept[this.#next] = { seq, answer }
    this.#next = (this.#next + 1) % MAX_KEPT_ANSWERS
  }

  /** Returns the answer as text, or null if it is not kept. */
  of(seq: number): string | null {
    const answer = this.#kept.find(kept => kept?.seq === seq)?.answer
    if (answer === undefined) return null
    return typeof answer === 'string' ? answer : JSON.stringify(answer)
  }

  clear(): void {
    this.#kept.fill(undefined)
  }
}
