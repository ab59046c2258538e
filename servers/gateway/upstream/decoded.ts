import type { IncomingMessage } from 'node:http'
import { pipeline, type Readable, type Transform } from 'node:stream'
import { constants, createBrotliDecompress, createGunzip, createInflate } from 'node:zlib'

/**
 * A body without its compression, each piece as soon as it can be read: an event must not wait for the next. A policy that looked at
 * compressed bytes would see nothing in them.
 */
export function decoded(response: IncomingMessage, encoding = 'identity'): Readable {
  const decoder = decoderOf(encoding.trim().toLowerCase())
  if (decoder === undefined) return response
  // What goes wrong on either side shows on the stream that is read.
  pipeline(response, decoder, () => undefined)
  return decoder
}

function decoderOf(encoding: string): Transform | undefined {
  if (encoding === 'gzip' || encoding === 'x-gzip') return createGunzip({ flush: constants.Z_SYNC_FLUSH })
  if (encoding === 'deflate') return createInflate({ flush: constants.Z_SYNC_FLUSH })
  if (encoding === 'br') return createBrotliDecompress({ flush: constants.BROTLI_OPERATION_FLUSH })
  return undefined
}
