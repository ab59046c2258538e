/** What text has no place for: part of a compressed or binary answer. */
const BINARY = /[^\P{Cc}\t]|\ufffd/u

/**
 * Which of the open requests a line was to answer that cannot be read: the one it names; else, if it looks like a message at all, every
 * one, since it may be any. None for a line of plain text: a program that logs to its stdout.
 */
export function damagedIds(line: string, open: readonly number[]): readonly number[] {
  const named = /"id"\s*:\s*(\d+)/.exec(line)?.[1]
  const id = open.find(known => String(known) === named)
  if (id !== undefined) return [id]
  const message = line === '' || line.startsWith('{') || line.startsWith('[') || BINARY.test(line)
  return message && named === undefined ? open : []
}
