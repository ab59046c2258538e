/** Number of kept answers, and bytes of the longest: 16 MiB together at most. */
const MAX_KEPT_ANSWERS = 256
const LARGEST_BYTES = 64 * 1024

interface Kept {
  readonly seq: number
  /** The answer as the transport got it. It is converted to text when it is requested, which is rare. */
  readonly answer: object | string
}

/**
 * The latest answers, by the seq of what they answer.
 *
 * Few: what lives for long is moved about by the collector of garbage, and some thousands of them were
 * measured to slow calls by a sixth and more.
 */
export class KeptAnswers {
  readonly #kept: (Kept | undefined)[] = new Array(MAX_KEPT_ANSWERS).fill(undefined)
  #next = 0

  /** @param bytes how long it is when written */
  keep(seq: number, answer: object | string, bytes: number): void {
    if (bytes > LARGEST_BYTES) return
    this.#kept[this.#next] = { seq, answer }
    this.#next = (this.#next + 1) % MAX_KEPT_ANSWERS
  }

  /** The answer as text; null if it is not kept. */
  of(seq: number): string | null {
    const answer = this.#kept.find(kept => kept?.seq === seq)?.answer
    if (answer === undefined) return null
    return typeof answer === 'string' ? answer : JSON.stringify(answer)
  }

  clear(): void {
    this.#kept.fill(undefined)
  }
}
