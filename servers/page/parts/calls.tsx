import type { RefObject } from 'preact'
import { useEffect, useLayoutEffect, useRef, useState } from 'preact/hooks'
import { defined } from '../../../shared/util/defined.js'
import { calls, dropped, filter, shownCalls, shownSeqs } from '../live/calls.js'
import { state } from '../live/state.js'
import { counted } from '../model/format.js'
import { heightOf, type Rows, topOf, windowOf } from '../model/virtual-rows.js'
import { CallDetails, CallRow } from './call.js'
import { Empty, Section } from './elements.js'

/** Lists the calls to the servers, and adds new calls as they arrive. */
export function CallList() {
  const all = calls.value.length
  return (
    <Section
      id="calls"
      title="Calls"
      note={
        <>
          {counted(all, 'call')} reached the servers
          {dropped.value > 0 && `, ${counted(dropped.value, 'older one')} no longer kept`}
        </>
      }
    >
      {all === 0 ? (
        <NoCalls />
      ) : (
        <>
          <CallFilterBar />
          <CallTable />
        </>
      )}
    </Section>
  )
}

/** The titles of the columns. */
const COLUMNS = ['#', 'time', 'caller', 'call', 'outcome', 'took']

function CallTable() {
  const shown = shownCalls.value
  const height = useRowHeight()
  const [openSeq, setOpenSeq] = useState(-1)
  const [openExtra, setOpenExtra] = useState(0)
  const [activeSeq, setActiveSeq] = useState(-1)
  const keys = shownSeqs.value
  const openAt = keys.indexOf(openSeq)
  const activeAt = keys.indexOf(activeSeq)
  const rows = useRows(keys, { count: keys.length, height, openAt, openExtra }, activeAt)
  const body = rows.scroller
  const toFocus = useRef(false)
  useLayoutEffect(() => {
    if (!toFocus.current) return
    toFocus.current = false
    body.current?.querySelector<HTMLElement>(`[data-seq="${activeSeq}"]`)?.focus({ preventScroll: true })
  })

  const moveTo = (index: number) => {
    const to = Math.min(keys.length - 1, Math.max(0, index))
    toFocus.current = true
    setActiveSeq(keys[to] ?? -1)
    rows.show(to)
  }
  const page = Math.max(1, Math.floor((body.current?.clientHeight ?? 0) / height) - 1)
  const moves: Record<string, number> = {
    ArrowDown: activeAt + 1,
    ArrowUp: activeAt - 1,
    PageDown: activeAt + page,
    PageUp: activeAt - page,
    Home: 0,
    End: keys.length - 1,
  }
  const onKeyDown = (event: KeyboardEvent) => {
    const to = moves[event.key]
    // Inside of an open row, keys have their usual effect.
    if (to === undefined || !(event.target instanceof HTMLElement) || event.target.dataset.seq === undefined)
      return
    event.preventDefault()
    moveTo(to)
  }
  const toggle = (seq: number) => {
    setActiveSeq(seq)
    setOpenExtra(0)
    setOpenSeq(seq === openSeq ? -1 : seq)
  }

  if (keys.length === 0) {
    return (
      <p class="empty">
        Nothing of the kind among {counted(calls.value.length, 'call')}.{' '}
        {filter.value.text !== '' && 'Look for something else.'}
      </p>
    )
  }
  // If no row has the focus, the Tab key leads to the first row.
  const tabbed = activeAt < 0 ? keys[0] : activeSeq
  return (
    <div class="calls" role="table" aria-label="Calls, the latest first" aria-rowcount={keys.length + 1}>
      <div role="rowgroup">
        <div class="call-row call-head" role="row" aria-rowindex={1}>
          {COLUMNS.map(name => (
            <span role="columnheader" key={name}>
              {name}
            </span>
          ))}
        </div>
      </div>
      <div class="calls-body" role="rowgroup" ref={body} onScroll={rows.onScroll} onKeyDown={onKeyDown}>
        <div class="calls-all" role="presentation" style={{ height: `${rows.height}px` }}>
          {rows.drawn.map(index => {
            const call = shown[index]
            if (call === undefined) return null
            const { seq } = call.entry
            return (
              <CallRow
                key={seq}
                call={call}
                index={index}
                top={rows.top(index)}
                height={height}
                open={seq === openSeq}
                tabbed={seq === tabbed}
                onToggle={toggle}
                onFocus={setActiveSeq}
              />
            )
          })}
          {openAt >= 0 && shown[openAt] !== undefined && (
            <CallDetails
              key={`details ${openSeq}`}
              call={shown[openAt]}
              index={openAt}
              top={rows.top(openAt) + height}
              onHeight={setOpenExtra}
            />
          )}
        </div>
      </div>
    </div>
  )
}

/** Renders hints for an empty journal. */
function NoCalls() {
  const safebot = state.value?.safebot?.mcpUrl
  const url = safebot ?? state.value?.instanode?.mcpUrl
  const tool = safebot ? 'create_room' : 'list_resources'
  const body = `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"${tool}","arguments":{}}}`
  return (
    <Empty
      {...defined({
        command: url ? `curl -s ${url} -H 'Content-Type: application/json' \\\n  -d '${body}'` : undefined,
      })}
    >
      No call has reached the servers yet. It is shown here as it comes, without a reload. Try one:
    </Empty>
  )
}

/** Renders the filter of the calls. */
function CallFilterBar() {
  const { text, toolsOnly, failedOnly } = filter.value
  return (
    <form class="filter" onSubmit={event => event.preventDefault()}>
      <input
        type="search"
        placeholder="caller, tool or server"
        aria-label="Show calls with this in their caller, tool or server"
        value={text}
        onInput={event => {
          filter.value = { ...filter.value, text: event.currentTarget.value }
        }}
      />
      <label>
        <input
          type="checkbox"
          checked={toolsOnly}
          onChange={event => {
            filter.value = { ...filter.value, toolsOnly: event.currentTarget.checked }
          }}
        />
        tools only
      </label>
      <label>
        <input
          type="checkbox"
          checked={failedOnly}
          onChange={event => {
            filter.value = { ...filter.value, failedOnly: event.currentTarget.checked }
          }}
        />
        failed only
      </label>
    </form>
  )
}

/** Matches a narrow page, on which a row has two lines. The style sheet uses the same query. */
const NARROW = '(max-width: 640px)'

const HEIGHT = { wide: 32, narrow: 52 } as const

/** Returns the height of a row of calls, in pixels. */
function useRowHeight(): number {
  const [narrow, setNarrow] = useState(matchMedia(NARROW).matches)
  useEffect(() => {
    const query = matchMedia(NARROW)
    const changed = () => setNarrow(query.matches)
    query.addEventListener('change', changed)
    return () => query.removeEventListener('change', changed)
  }, [])
  return narrow ? HEIGHT.narrow : HEIGHT.wide
}

/** The visible part of a list with very many rows. */
interface DrawnRows {
  /** Ref of the scrolling element. */
  scroller: RefObject<HTMLDivElement | null>
  onScroll(): void
  /** Indices of the rows to be drawn. */
  drawn: number[]
  /** Height of all rows together, in pixels. */
  height: number
  /** Returns the top of a row, in pixels. */
  top(index: number): number
  /** Scrolls to a row. */
  show(index: number): void
}

/**
 * Renders the visible rows of a long list. New rows come first. The view stays in place while the user has
 * scrolled down.
 *
 * @param keys keys of all rows, from the first
 * @param kept index of the row with the focus, or -1. It is always rendered, because otherwise it would lose
 *   the focus
 */
function useRows(keys: readonly number[], rows: Rows, kept: number): DrawnRows {
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
