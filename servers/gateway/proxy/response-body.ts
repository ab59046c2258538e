import type { Transform } from 'node:stream'
import { constants, createBrotliDecompress, createGunzip, createInflate } from 'node:zlib'
import type { Dispatcher } from 'undici'

export interface BodySink {
  data(piece: Buffer): void
  end(): void
  /** Called if the connection was cut, or if the body cannot be decompressed. */
  broken(): void
}

/**
 * The decompressed body of an answer. Each piece is passed on as soon as it can be decompressed. A piece that
 * arrives before `read` is called is lost.
 */
export class AnswerBody {
  readonly #source: Dispatcher.DispatchController
  readonly #decoder: Transform | undefined
  #sink: BodySink | undefined
  #over = false

  /** @param source the request whose answer has this body */
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

  /** Ignores the rest of the body. */
  discard(): void {
    this.#sink = { data: () => undefined, end: () => undefined, broken: () => undefined }
  }

  pause(): void {
    if (!this.#over) (this.#decoder ?? this.#source).pause()
  }

  resume(): void {
    if (!this.#over) (this.#decoder ?? this.#source).resume()
  }

  /** Closes the connection, because the rest of the body is not needed. */
  destroy(): void {
    if (this.#over) return
    this.#over = true
    this.#decoder?.destroy()
    this.#source.abort(new Error('the body is not read to its end'))
  }

  /** Receives the next piece of the body. */
  push(piece: Buffer): void {
    if (this.#over) return
    if (this.#decoder === undefined) this.#sink?.data(piece)
    else if (!this.#decoder.write(piece)) this.#source.pause()
  }

  /** Ends the body after its last piece. */
  finish(): void {
    if (this.#decoder === undefined) this.#end()
    else if (!this.#over) this.#decoder.end()
  }

  /** Ends the body early, because no more of it can be read. */
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
 * Returns a decoder for a compressed body. Returns undefined for an uncompressed body or an unknown encoding.
 *
 * The decoder passes on each piece immediately, because an event must not wait for the next event.
 */
function decoderOf(encoding: string): Transform | undefined {
  const name = encoding.trim().toLowerCase()
  if (name === 'gzip' || name === 'x-gzip') return createGunzip({ flush: constants.Z_SYNC_FLUSH })
  if (name === 'deflate') return createInflate({ flush: constants.Z_SYNC_FLUSH })
  if (name === 'br') return createBrotliDecompress({ flush: constants.BROTLI_OPERATION_FLUSH })
  return undefined
}
