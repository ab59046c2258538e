/** How many rooms, databases, receivers are drawn: more would be too many for a browser, and for a reader. */
export const MOST_SHOWN = 20

/** `3 rooms`, or `20 of 3,000 rooms, the latest`. */
export function countOfShown(all: number, one: string): string {
  const many = `${all.toLocaleString('en')} ${all === 1 ? one : `${one}s`}`
  return all <= MOST_SHOWN ? many : `${MOST_SHOWN} of ${many}, the latest`
}
