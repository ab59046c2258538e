import type { ComponentChildren, RefObject } from 'preact'
import { useEffect, useLayoutEffect, useRef, useState } from 'preact/hooks'
import type { LogView } from '../live/log-view.js'
import { counted } from '../model/format.js'
import { heightOf, type Rows, topOf, windowOf } from '../model/virtual-rows.js'

/** A column of a log's table. */
export interface Column<Row> {
  /** Last part of the column's class in the style sheet. */
  name: string
  title: string
  /** Returns the content of the button that opens the row. Only one column of a table has this function. */
  opener?(row: Row): ComponentChildren
  /** Returns the content of the cell. It follows the button, if the cell has one. */
  cell?(row: Row): ComponentChildren
}

interface LogProps<Row> {
  view: LogView<Row>
  /** The word for one row. It is also the first part of the classes in the style sheet. */
  one: string
}

interface LogTableProps<Row> extends LogProps<Row> {
  /** Name of the table for screen readers. */
  label: string
  /** The fields that are searched, in words. */
  searched: string
  columns: readonly Column<Row>[]
  /** Heights of a row in pixels: on a wide page, and on a narrow page. */
  heights: { readonly wide: number; readonly narrow: number }
  /** Renders the details of the open row. */
  details(row: Row): ComponentChildren
}

/**
 * Renders a log as a table with a filter, the newest row first. A click on a row opens its details. Only the
 * visible rows are in the document.
 */
export function LogTable<Row>(props: LogTableProps<Row>) {
  const { view, one } = props
  return (
    <>
      <FilterBar {...props} />
      {view.seqs.value.length === 0 ? (
        <p class="empty">No match in {counted(view.rows.value.length, one)}. Change the filter.</p>
      ) : (
        <Table {...props} />
      )}
    </>
  )
}

function FilterBar<Row>({ view: { filter, kind }, one, searched }: LogTableProps<Row>) {
  const { text, required } = filter.value
  return (
    <form class="filter" onSubmit={event => event.preventDefault()}>
      <input
        type="search"
        placeholder={searched}
        aria-label={`Find ${one}s by ${searched}`}
        value={text}
        onInput={event => {
          filter.value = { required, text: event.currentTarget.value }
        }}
      />
      {Object.keys(kind.checks).map(label => (
        <label key={label}>
          <input
            type="checkbox"
            checked={required.includes(label)}
            onChange={({ currentTarget: { checked } }) => {
              const others = required.filter(other => other !== label)
              filter.value = { text, required: checked ? [...others, label] : others }
            }}
          />
          {label}
        </label>
      ))}
    </form>
  )
}

function Table<Row>({ view, one, label, columns, heights, details }: LogTableProps<Row>) {
  const height = useNarrow() ? heights.narrow : heights.wide
  const [extra, setExtra] = useState({ seq: -1, height: 0 })
  const shown = view.shown.value
  const seqs = view.seqs.value
  const open = view.open.value
  const openAt = seqs.indexOf(open)
  const activeAt = seqs.indexOf(view.active.value)
  const rows = { count: seqs.length, height, openAt, openExtra: extra.seq === open ? extra.height : 0 }
  const { scroller, onScroll, drawn } = useDrawnRows(seqs, rows, activeAt)
  const target = view.target.value
  useLayoutEffect(() => {
    const body = scroller.current
    if (target < 0 || body === null) return
    view.target.value = -1
    const button = body.querySelector<HTMLElement>(`[data-seq="${target}"]`)
    if (target === open) {
      body.scrollTop = topOf(rows, openAt)
      body.scrollIntoView({ block: 'nearest' })
    }
    button?.focus({ preventScroll: true })
    button?.closest('.log-row')?.scrollIntoView({ block: 'nearest' })
  })

  const onKeyDown = (event: KeyboardEvent) => {
    const page = Math.max(1, Math.floor((scroller.current?.clientHeight ?? 0) / height) - 1)
    const moves: Record<string, number> = {
      ArrowDown: activeAt + 1,
      ArrowUp: activeAt - 1,
      PageDown: activeAt + page,
      PageUp: activeAt - page,
      Home: 0,
      End: seqs.length - 1,
    }
    const to = moves[event.key]
    // In the details of the open row, keys have their usual effect.
    if (to === undefined || !(event.target instanceof HTMLElement) || event.target.dataset.seq === undefined)
      return
    event.preventDefault()
    view.goTo(seqs[Math.min(seqs.length - 1, Math.max(0, to))] ?? -1)
  }
  const openRow = shown[openAt]
  return (
    <div class="log" role="table" aria-label={label} aria-rowcount={seqs.length + 1}>
      <div role="rowgroup">
        <div class={`log-row log-head ${one}-row`} role="row" aria-rowindex={1}>
          {columns.map(({ name, title }) => (
            <span key={name} role="columnheader" class={`${one}-${name}`}>
              {title}
            </span>
          ))}
        </div>
      </div>
      <div
        class="log-body"
        role="rowgroup"
        style={{ height: `${heightOf(rows)}px` }}
        ref={scroller}
        onScroll={onScroll}
        onKeyDown={onKeyDown}
      >
        <div class="log-all" role="presentation" style={{ height: `${heightOf(rows)}px` }}>
          {drawn.map(index => {
            const [row, seq] = [shown[index], seqs[index]]
            if (row === undefined || seq === undefined) return null
            return (
              <div
                key={seq}
                class={`log-row ${one}-row${index === openAt ? ' log-row-open' : ''}`}
                role="row"
                aria-rowindex={index + 2}
                style={{ top: `${topOf(rows, index)}px`, height: `${height}px` }}
              >
                {columns.map(({ name, opener, cell }) => (
                  <span key={name} role="cell" class={`${one}-${name}`}>
                    {opener !== undefined && (
                      <button
                        type="button"
                        data-seq={seq}
                        // If no row is active, the Tab key leads to the first row.
                        tabIndex={index === Math.max(0, activeAt) ? 0 : -1}
                        aria-expanded={index === openAt}
                        onClick={() => view.toggle(seq)}
                        onFocus={() => {
                          view.active.value = seq
                        }}
                      >
                        {opener(row)}
                      </button>
                    )}
                    {cell?.(row)}
                  </span>
                ))}
              </div>
            )
          })}
          {openRow !== undefined && (
            <Details
              key={`details ${open}`}
              index={openAt}
              top={topOf(rows, openAt) + height}
              columns={columns.length}
              onHeight={measured => setExtra({ seq: open, height: measured })}
            >
              {details(openRow)}
            </Details>
          )}
        </div>
      </div>
    </div>
  )
}

interface DetailsProps {
  /** Index of the open row among the shown rows. */
  index: number
  /** Top in pixels. */
  top: number
  /** Number of columns of the table. */
  columns: number
  /** Called with the height of the details, in pixels. */
  onHeight(height: number): void
  children: ComponentChildren
}

/** Renders the details of the open row, and reports their height whenever it changes. */
function Details({ index, top, columns, onHeight, children }: DetailsProps) {
  const box = useRef<HTMLDivElement>(null)
  useLayoutEffect(() => {
    const element = box.current
    if (element === null) return
    const observer = new ResizeObserver(() => onHeight(element.offsetHeight))
    observer.observe(element)
    return () => observer.disconnect()
  }, [])
  return (
    <div class="log-details" role="row" aria-rowindex={index + 2} ref={box} style={{ top: `${top}px` }}>
      <div role="cell" aria-colspan={columns}>
        {children}
      </div>
    </div>
  )
}

/** Matches a narrow page, on which a row has more lines. The style sheet uses the same query. */
const NARROW = '(max-width: 640px)'

function useNarrow(): boolean {
  const [narrow, setNarrow] = useState(matchMedia(NARROW).matches)
  useEffect(() => {
    const query = matchMedia(NARROW)
    const changed = () => setNarrow(query.matches)
    query.addEventListener('change', changed)
    return () => query.removeEventListener('change', changed)
  }, [])
  return narrow
}

/** The rows that are in the document. */
interface DrawnRows {
  /** Ref for the element that scrolls. */
  scroller: RefObject<HTMLDivElement | null>
  onScroll(): void
  /** Indices of the drawn rows. */
  drawn: number[]
}

/**
 * Finds the rows of a long list that must be drawn. New rows come first in the list. If the user has scrolled
 * down, new rows do not move the visible rows.
 *
 * @param seqs the numbers of all rows, from the first
 * @param kept index of the row with the focus, or -1. This row is always drawn, because otherwise it would
 *   lose the focus
 */
function useDrawnRows(seqs: readonly number[], rows: Rows, kept: number): DrawnRows {
  const scroller = useRef<HTMLDivElement>(null)
  const [view, setView] = useState({ top: 0, height: 400 })
  const look = () => {
    const { scrollTop = 0, clientHeight = 0 } = scroller.current ?? {}
    if (scrollTop !== view.top || clientHeight !== view.height)
      setView({ top: scrollTop, height: clientHeight })
  }
  const first = useRef<number | undefined>(undefined)
  useLayoutEffect(() => {
    const known = first.current === undefined ? 0 : seqs.indexOf(first.current)
    first.current = seqs[0]
    if (known > 0 && scroller.current !== null && scroller.current.scrollTop > 0) {
      scroller.current.scrollTop += known * rows.height
    }
    look()
  })
  const { begin, end } = windowOf(rows, view.top, view.height)
  const drawn = Array.from({ length: Math.max(0, end - begin) }, (_, at) => begin + at)
  if (kept >= 0 && kept < rows.count && (kept < begin || kept >= end)) drawn.push(kept)
  return { scroller, onScroll: look, drawn }
}
