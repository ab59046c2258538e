import { Refusal } from '../errors.js'

export interface Page<Item> {
  items: Item[]
  /** Undefined on the last page. */
  nextCursor: string | undefined
}

/**
 * One page of a list.
 *
 * @param sizes the size of every page, or those of the first ones, behind which the rest is one more
 * @param cursor as a page before gave it; undefined for the first
 * @throws Refusal `bad_cursor`
 */
export function pageOf<Item>(
  items: readonly Item[],
  sizes: number | readonly number[],
  cursor: string | undefined,
): Page<Item> {
  const pages = cut(items, sizes)
  const index = cursor === undefined ? 0 : Number(/^page-([1-9]\d*)$/.exec(cursor)?.[1])
  const page = pages[index]
  if (page === undefined) {
    throw new Refusal('bad_cursor', `unknown cursor ${JSON.stringify(cursor)}`, 'begin again without one')
  }
  return { items: page, nextCursor: index + 1 < pages.length ? `page-${index + 1}` : undefined }
}

function cut<Item>(items: readonly Item[], sizes: number | readonly number[]): Item[][] {
  const pages: Item[][] = []
  let rest = [...items]
  if (typeof sizes === 'number') {
    for (; rest.length > sizes; rest = rest.slice(sizes)) pages.push(rest.slice(0, sizes))
  } else {
    for (const size of sizes) {
      pages.push(rest.slice(0, size))
      rest = rest.slice(size)
    }
    if (rest.length === 0) return pages
  }
  return [...pages, rest]
}
