/**
 * Finds the name that was probably meant: at most a third of its letters differ. Returns undefined if none
 * is that close.
 */
export function closestName(word: string, known: readonly string[]): string | undefined {
  const most = Math.max(1, Math.floor(word.length / 3))
  const ranked = known
    .map(candidate => ({ candidate, distance: distanceOf(word.toLowerCase(), candidate.toLowerCase()) }))
    .filter(({ distance }) => distance <= most)
    .sort((a, b) => a.distance - b.distance)
  return ranked[0]?.candidate
}

/** Past this no key is a slip of another, and the work would grow with the square. */
const LONGEST = 64

/** Returns the number of letters to insert, remove or replace. */
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
