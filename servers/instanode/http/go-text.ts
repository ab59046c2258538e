import { isUtf8 } from 'node:buffer'

/** U+FFFD in UTF-8. */
const REPLACEMENT = Buffer.from('\u{fffd}')

/**
 * Bytes as text, the way Go reads them: each byte that belongs to no character becomes a U+FFFD of its own. Node makes one
 * of several, and a name may be a byte longer for it.
 */
export function goText(bytes: Buffer): string {
  if (isUtf8(bytes)) return bytes.toString('utf8')
  const pieces: Buffer[] = []
  for (let at = 0; at < bytes.length; ) {
    const size = characterSize(bytes, at)
    pieces.push(size === 0 ? REPLACEMENT : bytes.subarray(at, at + size))
    at += Math.max(1, size)
  }
  return Buffer.concat(pieces).toString('utf8')
}

/** How many bytes the character at `at` has; 0: none begins there. */
function characterSize(bytes: Buffer, at: number): number {
  for (let size = 1; size <= 4 && at + size <= bytes.length; size++) {
    if (isUtf8(bytes.subarray(at, at + size))) return size
  }
  return 0
}
