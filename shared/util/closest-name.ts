/**
 * Finds the known name that is closest to a word. Up to a third of the letters can differ, and in
 * a short word one letter. Returns undefined if no name is that close.
 */
export function closestName(word: string, known: readonly string[]): string | undefined {
  const maxDistance = Math.max(1, Math.floor(word.length / 3))
  const ranked = known
    .map(candidate => ({ candidate, distance: distanceOf(word.toLowerCase(), candidate.toLowerCase()) }))
    .filter(({ distance }) => distance <= maxDistance)
    .sort((a, b) => a.distance - b.distance)
  return ranked[0]?.candidate
}

/**
 * Maximum length of a compared word, in characters. A longer word is hardly a misspelled name, and its
 * comparison takes long.
 */
const LONGEST = 64

/**
 * Returns how many letters must be inserted, removed or replaced to turn `a` into `b`. Infinite for a long
 * `a`.
 */
function distanceOf(a: string, b: string): number {
  if (a.length > LONGEST) return Number.POSITIVE_INFINITY
  let above = Array.from({ length: b.length + 1 }, (_, at) => at)
  for (const [row, letter] of [...a].entries()) {
    const line = [row + 1]
    for (const [at, other] of [...b].entries()) {
      const changed = (above[at] ?? 0) + (letter === other ? 0 : 1)
      line.push(Math.min(changed, (above[at + 1] ?? 0) + 1, (line[at] ?? 0) + 1))
    }
    above = line
  }
  return above.at(-1) ?? 0
}
