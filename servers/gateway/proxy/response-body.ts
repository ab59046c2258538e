import type { Transform } from 'node:stream'
import { constants, createBrotliDecompress, createGunzip, createInflate } from 'node:zlib'
import type { Dispatcher } from 'undici'

export interface BodySink {
  data(piece: Buffer): void
  end(): void
  /** Called instead of `end` if the connection was cut, or if the body cannot be decompressed. */
  broken(): void
}

/**
 * The decompressed body of an answer. Each piece reaches the sink as soon as it can be decompressed. Call
 * `read` immediately, because pieces that arrive earlier are lost.
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

  /** Reads the body to its end and ignores it. */
  discard(): void {
    this.#sink = { data: () => undefined, end: () => undefined, broken: () => undefined }
  }

  pause(): void {
    if (!this.#over) (this.#decoder ?? this.#source).pause()
  }

  resume(): void {
    if (!this.#over) (this.#decoder ?? this.#source).resume()
  }

  /** Closes the connection. Used if the rest of the body is not needed. */
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

  /** Ends the body early. Used if the rest cannot be read. */
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
 * The decoder passes on each piece immediately. Otherwise, an event of a stream would be delayed until the
 * next event arrives.
 */
function decoderOf(encoding: string): Transform | undefined {
  const name = encoding.trim().toLowerCase()
  if (name === 'gzip' || name === 'x-gzip') return createGunzip({ flush: constants.Z_SYNC_FLUSH })
  if (name === 'deflate') return createInflate({ flush: constants.Z_SYNC_FLUSH })
  if (name === 'br') return createBrotliDecompress({ flush: constants.BROTLI_OPERATION_FLUSH })
  return undefined
}
