import type { Transform } from 'node:stream'
import { constants, createBrotliDecompress, createGunzip, createInflate } from 'node:zlib'
import type { Dispatcher } from 'undici'

export interface BodySink {
  data(piece: Buffer): void
  end(): void
  /** It broke off, or could not be decompressed. */
  broken(): void
}

/** The body of an answer, decompressed: each piece as soon as it can be read. It is to be read as soon as it is given. */
export class AnswerBody {
  readonly #source: Dispatcher.DispatchController
  readonly #decoder: Transform | undefined
  #sink: BodySink | undefined
  #over = false

  /** @param source the request that the body answers */
  constructor(source: Dispatcher.DispatchController, encoding: string) {
    this.#source = source
    const decoder = decoderOf(encoding)
    this.#decoder = decoder
    decoder?.on('data', (piece: Buffer) => this.#sink?.data(piece))
    decoder?.on('end', () => this.#end())
    decoder?.on('error', () => {
      this.fail()
      source.abort(new Error('the body cannot be decompressed'))
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
    if (!this.#over) (this.#decoder ?? this.#source).pause()
  }

  resume(): void {
    if (!this.#over) (this.#decoder ?? this.#source).resume()
  }

  /** Drops the connection: the rest of the body is of no interest. */
  destroy(): void {
    if (this.#over) return
    this.#over = true
    this.#decoder?.destroy()
    this.#source.abort(new Error('the body is not read to its end'))
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
 * A decoder for a compressed body; undefined for a body that is not compressed.
 *
 * It passes each piece on at once, because an event must not wait for the next. A policy can see nothing in compressed bytes.
 */
function decoderOf(encoding: string): Transform | undefined {
  const name = encoding.trim().toLowerCase()
  if (name === 'gzip' || name === 'x-gzip') return createGunzip({ flush: constants.Z_SYNC_FLUSH })
  if (name === 'deflate') return createInflate({ flush: constants.Z_SYNC_FLUSH })
  if (name === 'br') return createBrotliDecompress({ flush: constants.BROTLI_OPERATION_FLUSH })
  return undefined
}
