/** Bytes of an answer that is kept; what is longer would push out too many others. */
const LARGEST_BYTES = 64 * 1024

/** Bytes of all that are kept. */
const TOTAL_BYTES = 8 * 1024 * 1024

interface Kept {
  /** As it was handed to the transport: it is written out for whoever asks, and hardly anybody does. */
  readonly answer: object | string
  readonly bytes: number
}

/** The latest answers, by the seq of what they answer. Past its bound the oldest go. */
export class KeptAnswers {
  readonly #kept = new Map<number, Kept>()
  #bytes = 0

  /** @param bytes how long it is when written */
  keep(seq: number, answer: object | string, bytes: number): void {
    if (bytes > LARGEST_BYTES) return
    this.#kept.set(seq, { answer, bytes })
    this.#bytes += bytes
    for (const oldest of this.#kept.keys()) {
      if (this.#bytes <= TOTAL_BYTES) break
      this.drop(oldest)
    }
  }

  /** The answer as text; null if none is kept. */
  of(seq: number): string | null {
    const answer = this.#kept.get(seq)?.answer
    if (answer === undefined) return null
    return typeof answer === 'string' ? answer : JSON.stringify(answer)
  }

  drop(seq: number): void {
    const kept = this.#kept.get(seq)
    if (kept === undefined) return
    this.#kept.delete(seq)
    this.#bytes -= kept.bytes
  }

  clear(): void {
    this.#kept.clear()
    this.#bytes = 0
  }
}
