import type { Framing } from './response-head.js'

/** What a piece of a body comes to. */
export interface FramedSink {
  data(piece: Buffer): void
  /** The body is over. @param clean whether nothing came behind it, which nobody has asked for */
  end(clean: boolean): void
  broken(): void
}

/** The longest line that tells the size of a chunk; extensions are nobody's business. */
const MAX_SIZE_LINE = 1024

/** Takes a body out of its framing. */
export class BodyFraming {
  readonly #framing: Framing
  readonly #sink: FramedSink
  /** Bytes still to come: of the body, or of the chunk. */
  #left: number
  #state: 'data' | 'size' | 'chunk-end' | 'trailer' | 'over' = 'data'
  #line = ''

  constructor(framing: Framing, sink: FramedSink) {
    this.#framing = framing
    this.#sink = sink
    this.#left = framing.by === 'length' ? framing.length : 0
    if (framing.by === 'chunks') this.#state = 'size'
  }

  /** An empty body is over at once. */
  begin(): void {
    if (this.#framing.by === 'length' && this.#left === 0) this.#end(true)
  }

  push(bytes: Buffer): void {
    if (this.#framing.by === 'chunks') this.#chunks(bytes)
    else if (this.#framing.by === 'close') this.#sink.data(bytes)
    else if (this.#state === 'data') {
      const piece = bytes.length <= this.#left ? bytes : bytes.subarray(0, this.#left)
      this.#left -= piece.length
      this.#sink.data(piece)
      if (this.#left === 0) this.#end(piece.length === bytes.length)
    }
  }

  /** The connection has ended. */
  closed(): void {
    if (this.#state === 'over') return
    if (this.#framing.by === 'close') this.#end(false)
    else this.#fail()
  }

  #chunks(bytes: Buffer): void {
    let at = 0
    while (at < bytes.length && this.#state !== 'over') {
      if (this.#state === 'data') {
        const piece = bytes.subarray(at, at + this.#left)
        at += piece.length
        this.#left -= piece.length
        if (this.#left === 0) this.#state = 'chunk-end'
        this.#sink.data(piece)
        continue
      }
      const feed = bytes.indexOf(0x0a, at)
      const end = feed < 0 ? bytes.length : feed
      this.#line += bytes.toString('latin1', at, end)
      at = end + 1
      if (this.#line.length > MAX_SIZE_LINE) this.#fail()
      else if (feed >= 0) this.#takeLine(at >= bytes.length)
    }
  }

  #takeLine(last: boolean): void {
    const line = this.#line.replace(/\r$/, '')
    this.#line = ''
    if (this.#state === 'chunk-end') {
      if (line === '') this.#state = 'size'
      else this.#fail()
    } else if (this.#state === 'trailer') {
      if (line === '') this.#end(last)
    } else {
      const [, size] = /^([0-9a-fA-F]{1,8})\s*(?:;|$)/.exec(line) ?? []
      if (size === undefined) this.#fail()
      else {
        this.#left = Number.parseInt(size, 16)
        this.#state = this.#left === 0 ? 'trailer' : 'data'
      }
    }
  }

  #end(clean: boolean): void {
    this.#state = 'over'
    this.#sink.end(clean)
  }

  #fail(): void {
    this.#state = 'over'
    this.#sink.broken()
  }
}
