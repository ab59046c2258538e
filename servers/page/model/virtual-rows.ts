/** Rows of one height, of which one may be open: it takes more. */
export interface Rows {
  readonly count: number
  /** Height of a row, in pixels. */
  readonly height: number
  /** Index of the open row; -1: none is. */
  readonly openAt: number
  /** Height of the open row beyond a normal row. */
  readonly openExtra: number
}

/** Drawn beyond what is seen, each way: scrolling is not to show a gap. */
const MARGIN = 8

/** Returns the top of a row. */
export function topOf({ height, openAt, openExtra }: Rows, index: number): number {
  return index * height + (openAt >= 0 && index > openAt ? openExtra : 0)
}

/** Returns the height of all rows together. */
export function heightOf(rows: Rows): number {
  return rows.count * rows.height + (rows.openAt >= 0 ? rows.openExtra : 0)
}

/**
 * The rows to be drawn: those that are seen, and a few more.
 *
 * @returns `end`: the first that is not
 */
export function windowOf(rows: Rows, scrollTop: number, viewHeight: number): { begin: number; end: number } {
  const begin = rowAt(rows, scrollTop) - MARGIN
  const end = rowAt(rows, scrollTop + viewHeight) + 1 + MARGIN
  return { begin: Math.max(0, begin), end: Math.min(rows.count, end) }
}

function rowAt({ height, openAt, openExtra }: Rows, y: number): number {
  const openEnd = (openAt + 1) * height + openExtra
  if (openAt < 0 || y < (openAt + 1) * height) return Math.floor(y / height)
  return y < openEnd ? openAt : Math.floor((y - openExtra) / height)
}
