import type { Transform } from 'node:stream'
import { constants, createBrotliDecompress, createGunzip, createInflate } from 'node:zlib'

export interface BodySink {
  data(piece: Buffer): void
  end(): void
  /** It broke off, or could not be decompressed. */
  broken(): void
}

/** Where a body comes from. */
export interface BodySource {
  pause(): void
  resume(): void
  /** Nobody reads on: the connection is dropped. */
  destroy(): void
}

/** The body of an answer, decompressed: each piece as soon as it can be read. It is to be read as soon as it is given. */
export class AnswerBody {
  readonly #source: BodySource
  readonly #decoder: Transform | undefined
  #sink: BodySink | undefined
  #over = false

  constructor(source: BodySource, encoding: string | undefined) {
    this.#source = source
    const decoder = decoderOf(encoding)
    this.#decoder = decoder
    decoder?.on('data', (piece: Buffer) => this.#sink?.data(piece))
    decoder?.on('end', () => this.#end())
    decoder?.on('error', () => {
      source.destroy()
      this.fail()
    })
    decoder?.on('drain', () => source.resume())
  }

  read(sink: BodySink): void {
    this.#sink = sink
  }

  /** Lets it pass unread. */
  discard(): void {
    this.#sink = { data: () => undefined, end: () => undefined, broken: () => undefined }
  }

  pause(): void {
    if (this.#decoder === undefined) this.#source.pause()
    else this.#decoder.pause()
  }

  resume(): void {
    if (this.#decoder === undefined) this.#source.resume()
    else this.#decoder.resume()
  }

  /** What is still to come is of no interest. */
  destroy(): void {
    if (this.#over) return
    this.#over = true
    this.#decoder?.destroy()
    this.#source.destroy()
  }

  /** A piece has come in. */
  push(piece: Buffer): void {
    if (this.#over) return
    if (this.#decoder === undefined) this.#sink?.data(piece)
    else if (!this.#decoder.write(piece)) this.#source.pause()
  }

  /** All of it has. */
  finish(): void {
    if (this.#decoder === undefined) this.#end()
    else if (!this.#over) this.#decoder.end()
  }

  /** No more will. */
  fail(): void {
    if (this.#over) return
    this.#over = true
    this.#decoder?.destroy()
    this.#sink?.broken()
  }

  #end(): void {
    if (this.#over) return
    this.#over = true
    this.#sink?.end()
  }
}

/**
 * What takes the compression off a body, each piece as soon as it can be: an event must not wait for the
 * next. A policy that looked at compressed bytes would see nothing in them. Undefined where there is none.
 */
function decoderOf(encoding = 'identity'): Transform | undefined {
  const name = encoding.trim().toLowerCase()
  if (name === 'gzip' || name === 'x-gzip') return createGunzip({ flush: constants.Z_SYNC_FLUSH })
  if (name === 'deflate') return createInflate({ flush: constants.Z_SYNC_FLUSH })
  if (name === 'br') return createBrotliDecompress({ flush: constants.BROTLI_OPERATION_FLUSH })
  return undefined
}
