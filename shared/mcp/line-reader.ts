const NEWLINE = 0x0a

/**
 * Maximum length of a line in bytes. The SDK has the same limit for the bytes that it buffers from a pipe.
 */
export const MAX_LINE_BYTES = 10 * 1024 * 1024

/**
 * Splits a stream of bytes into lines. A line that is too long is skipped, and reading continues with the
 * next line.
 */
export class LineReader {
  readonly #onLine: (line: string) => void
  readonly #onTooLong: (why: string) => void
  readonly #maxBytes: number
  #parts: Buffer[] = []
  #size = 0
  #skipping = false

  /** @param onTooLong called once for each line that is too long */
  constructor(onLine: (line: string) => void, onTooLong: (why: string) => void, maxBytes = MAX_LINE_BYTES) {
    this.#onLine = onLine
    this.#onTooLong = onTooLong
    this.#maxBytes = maxBytes
  }

  push(chunk: Buffer): void {
    let start = 0
    for (let end = chunk.indexOf(NEWLINE); end >= 0; end = chunk.indexOf(NEWLINE, start)) {
      this.#take(chunk.subarray(start, end))
      this.#finish()
      start = end + 1
    }
    if (start < chunk.length) this.#take(chunk.subarray(start))
  }

  #take(part: Buffer): void {
    if (this.#skipping) return
    this.#size += part.length
    if (this.#size > this.#maxBytes) {
      this.#skipping = true
      this.#parts = []
      this.#onTooLong(`a line is longer than ${this.#maxBytes} bytes: send less in one message`)
      return
    }
    this.#parts.push(part)
  }

  #finish(): void {
    const [only] = this.#parts
    const line = this.#parts.length === 1 && only ? only : Buffer.concat(this.#parts)
    const skipped = this.#skipping
    this.#parts = []
    this.#size = 0
    this.#skipping = false
    if (skipped) return
    const text = line.toString('utf8').trim()
    if (text !== '') this.#onLine(text)
  }
}
