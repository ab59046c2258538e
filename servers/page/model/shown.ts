/** How many rooms, databases, receivers, tools are drawn: more would be too many for a browser, and for a reader. */
export const MOST_SHOWN = 20

/** `3 rooms`, or `20 of 3,000 rooms, the latest`. @param which of them are drawn */
export function countOfShown(all: number, one: string, which = 'the latest'): string {
  const many = `${all.toLocaleString('en')} ${all === 1 ? one : `${one}s`}`
  return all <= MOST_SHOWN ? many : `${MOST_SHOWN} of ${many}, ${which}`
}
