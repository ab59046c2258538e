import { nameRefused } from './refusals.js'
import { trimSpace } from './trim-space.js'

/** Counted in UTF-8: 33 two-byte letters pass the tool's schema, which counts characters, and fail here. */
const MAX_BYTES = 64

/**
 * The name of a resource as it is kept: trimmed, unpaired surrogates replaced. Anything but control characters may be in it.
 *
 * @throws ServiceRefusal 400 `name_required`, whatever is wrong with it
 */
export function readName(text: string): string {
  const bytes = Buffer.from(trimSpace(text), 'utf8')
  if (bytes.length === 0) throw nameRefused('name is required: give 1 to 64 bytes of text')
  if (bytes.length > MAX_BYTES) {
    throw nameRefused(`name must be ${MAX_BYTES} or fewer bytes of UTF-8: this one has ${bytes.length}`)
  }
  if (bytes.some(byte => byte < 0x20 || byte === 0x7f)) {
    throw nameRefused('name must not contain control characters (below U+0020, or U+007F)')
  }
  return bytes.toString('utf8')
}
