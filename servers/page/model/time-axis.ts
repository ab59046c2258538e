/** A period of time. Both ends are in milliseconds. */
export interface Period {
  readonly from: number
  readonly to: number
}

/** An idle period that the axis shortens. */
export interface Cut {
  /** Position of the middle, in percent. */
  readonly x: number
  /** Real length of the idle period. */
  readonly ms: number
}

export interface TimeAxis {
  /**
   * The starts of the drawn periods: position `x` in percent, and instant `at`. Each but the first follows a
   * cut.
   */
  readonly begins: readonly { readonly x: number; readonly at: number }[]
  /** The last instant on the axis. */
  readonly end: number
  readonly cuts: readonly Cut[]
  /**
   * Returns the position of an instant, in percent. An instant in a cut has the position where the cut
   * starts.
   */
  x(instant: number): number
}

/** An idle period is cut only if it is longer than this, in milliseconds. */
const WORTH_A_CUT_MS = 30_000

/** Space before and after each drawn period, in milliseconds, so that the ends of the period are visible. */
const PADDING_MS = 1500

/** Width of a cut, in percent of the axis. */
const CUT_PERCENT = 5

/**
 * Creates an axis for periods that can be far apart. The axis cuts long idle times, for example when the
 * clock was advanced by a day.
 */
export function timeAxis(periods: readonly Period[]): TimeAxis {
  const parts = joined(periods)
  const cutsPercent = Math.max(0, parts.length - 1) * CUT_PERCENT
  const total = parts.reduce((sum, { from, to }) => sum + to - from, 0)
  const scale = (100 - cutsPercent) / Math.max(1, total)
  const cuts: Cut[] = []
  const begins: { x: number; at: number }[] = []
  let at = 0
  for (const [index, { from, to }] of parts.entries()) {
    begins.push({ x: at, at: from + PADDING_MS })
    at += (to - from) * scale
    const next = parts[index + 1]
    if (next === undefined) break
    cuts.push({ x: at + CUT_PERCENT / 2, ms: next.from - to })
    at += CUT_PERCENT
  }
  return {
    begins,
    end: (parts.at(-1)?.to ?? 0) - PADDING_MS,
    cuts,
    x(instant) {
      let x = 0
      for (const [index, { from, to }] of parts.entries()) {
        if (instant < from) return x
        x = (begins[index]?.x ?? 0) + (Math.min(instant, to) - from) * scale
      }
      return x
    },
  }
}

function joined(periods: readonly Period[]): Period[] {
  const parts: Period[] = []
  for (const { from, to } of [...periods].sort((one, other) => one.from - other.from)) {
    const last = parts.at(-1)
    const [begin, end] = [from - PADDING_MS, to + PADDING_MS]
    if (last === undefined || begin - last.to > WORTH_A_CUT_MS) parts.push({ from: begin, to: end })
    else parts[parts.length - 1] = { from: last.from, to: Math.max(last.to, end) }
  }
  return parts
}
