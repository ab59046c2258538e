/** Rows of equal height. If a row is open, that row is higher. */
export interface Rows {
  readonly count: number
  /** Height of a row, in pixels. */
  readonly height: number
  /** Index of the open row, or -1 if no row is open. */
  readonly openAt: number
  /** Additional height of the open row, in pixels. */
  readonly openExtra: number
}

/** Number of rows that are drawn above and below the visible rows, so that scrolling shows no gap. */
const MARGIN = 8

/** Returns the top of a row, in pixels. */
export function topOf({ height, openAt, openExtra }: Rows, index: number): number {
  return index * height + (openAt >= 0 && index > openAt ? openExtra : 0)
}

/** Returns the height of all rows together, in pixels. */
export function heightOf(rows: Rows): number {
  return rows.count * rows.height + (rows.openAt >= 0 ? rows.openExtra : 0)
}

/**
 * Returns the range of rows to draw: the visible rows and a few more.
 *
 * @returns `begin` is the first row to draw. `end` is the first row after the range
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
