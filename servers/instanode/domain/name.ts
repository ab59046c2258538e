import { nameRefused } from './refusals.js'

/** Counted in UTF-8: 33 two-byte letters pass the tool's schema, which counts characters, and fail here. */
const MAX_BYTES = 64

/** Unicode's White_Space, as the service trims; `String.trim` differs on U+0085 and U+FEFF. */
const OUTER_SPACE = /^\p{White_Space}+|\p{White_Space}+$/gu

/**
 * The name of a resource as it is kept: trimmed, unpaired surrogates replaced. Anything but control characters may be in it.
 *
 * @throws ServiceRefusal 400 `name_required`, whatever is wrong with it
 */
export function readName(text: string): string {
  const bytes = Buffer.from(text.replace(OUTER_SPACE, ''), 'utf8')
  if (bytes.length === 0) throw nameRefused('name is required: give 1 to 64 bytes of text')
  if (bytes.length > MAX_BYTES) {
    throw nameRefused(`name must be ${MAX_BYTES} or fewer bytes of UTF-8: this one has ${bytes.length}`)
  }
  if (bytes.some(byte => byte < 0x20 || byte === 0x7f)) {
    throw nameRefused('name must not contain control characters (below U+0020, or U+007F)')
  }
  return bytes.toString('utf8')
}
