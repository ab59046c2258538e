import type { RefObject } from 'preact'
import { useEffect, useLayoutEffect, useRef, useState } from 'preact/hooks'
import { heightOf, type Rows, topOf, windowOf } from '../model/virtual-rows.js'

/** The same as in the style sheet, where a narrow page gives a row two lines. */
const NARROW = '(max-width: 640px)'

const HEIGHT = { wide: 32, narrow: 52 } as const

/** How high a row of calls is, in pixels. */
export function useRowHeight(): number {
  const [narrow, setNarrow] = useState(matchMedia(NARROW).matches)
  useEffect(() => {
    const query = matchMedia(NARROW)
    const changed = () => setNarrow(query.matches)
    query.addEventListener('change', changed)
    return () => query.removeEventListener('change', changed)
  }, [])
  return narrow ? HEIGHT.narrow : HEIGHT.wide
}

/** What a list of very many rows draws of itself. */
export interface DrawnRows {
  /** Of the element that scrolls. */
  scroller: RefObject<HTMLDivElement | null>
  onScroll(): void
  /** Indices of the rows to be drawn. */
  drawn: number[]
  /** Of all rows together, in pixels. */
  height: number
  /** Where a row begins, in pixels. */
  top(index: number): number
  /** Has a row be seen. */
  show(index: number): void
}

/**
 * Draws of many rows those that are seen. New ones come first; whoever has scrolled down goes on seeing what he sees.
 *
 * @param keys of the rows, the first first
 * @param kept index of a row that is drawn in any case: one that has the focus must not lose it; -1: none
 */
export function useRows(keys: readonly number[], rows: Rows, kept: number): DrawnRows {
  const scroller = useRef<HTMLDivElement>(null)
  const [view, setView] = useState({ top: 0, height: 400 })
  const look = () => {
    const { scrollTop = 0, clientHeight = 0 } = scroller.current ?? {}
    if (scrollTop !== view.top || clientHeight !== view.height)
      setView({ top: scrollTop, height: clientHeight })
  }
  const first = useRef<number | undefined>(undefined)
  useLayoutEffect(() => {
    const known = first.current === undefined ? 0 : keys.indexOf(first.current)
    first.current = keys[0]
    if (known > 0 && scroller.current !== null && scroller.current.scrollTop > 0) {
      scroller.current.scrollTop += known * rows.height
    }
    look()
  })
  const { begin, end } = windowOf(rows, view.top, view.height)
  const drawn = Array.from({ length: Math.max(0, end - begin) }, (_, at) => begin + at)
  if (kept >= 0 && kept < rows.count && (kept < begin || kept >= end)) drawn.push(kept)
  return {
    scroller,
    onScroll: look,
    drawn,
    height: heightOf(rows),
    top: index => topOf(rows, index),
    show(index) {
      const element = scroller.current
      if (element === null) return
      const top = topOf(rows, index)
      if (top < element.scrollTop) element.scrollTop = top
      else if (top + rows.height > element.scrollTop + element.clientHeight) {
        element.scrollTop = top + rows.height - element.clientHeight
      }
    },
  }
}
