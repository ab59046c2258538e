import type { Transform } from 'node:stream'
import { constants, createBrotliDecompress, createGunzip, createInflate } from 'node:zlib'

/**
 * What takes the compression off a body, each piece as soon as it can be: an event must not wait for the next. A policy that looked at
 * compressed bytes would see nothing in them. Undefined where there is none.
 */
export function decoderOf(encoding = 'identity'): Transform | undefined {
  const name = encoding.trim().toLowerCase()
  if (name === 'gzip' || name === 'x-gzip') return createGunzip({ flush: constants.Z_SYNC_FLUSH })
  if (name === 'deflate') return createInflate({ flush: constants.Z_SYNC_FLUSH })
  if (name === 'br') return createBrotliDecompress({ flush: constants.BROTLI_OPERATION_FLUSH })
  return undefined
}
