import { z } from 'zod'
import { Refusal } from '../errors.js'
import { checked } from '../util/check.js'
import type { KnownTools, ToolListing } from '../util/known-tools.js'
import { defined } from '../util/objects.js'
import { type Change, type Overlay, overlaySchema } from './overlay.js'

/** An overlay with its progress. `lists` is the number of tool lists shown to its callers. */
export type OverlayStatus = Overlay & { lists: number; inEffect: boolean }

/** The overlays as plain data. */
export type CatalogueSnapshot = readonly {
  overlay: Overlay
  lists: number
  own: readonly (readonly [caller: string, lists: number])[]
}[]

/**
 * The lists that `after` counts: the lists of all callers together, or the lists of each caller alone. A
 * caller without a session is counted alone, so that other callers do not change its list.
 */
export type Counted = 'together' | 'alone'

/** The changes that concern the whole list. An overlay with such a change names no tool. */
const OF_WHOLE_LIST = ['add', 'page', 'ttlMs', 'cacheScope']

/**
 * Maximum number of callers that one overlay counts alone. Beyond it, the count of the oldest caller is
 * dropped.
 */
const MAX_COUNTED_ALONE = 10_000

/** An overlay with its counts. */
interface Row {
  readonly overlay: Overlay
  /** Number of lists shown to its callers since the overlay was set. */
  lists: number
  /** The number of lists shown to each caller that is counted alone. */
  readonly own: Map<string, number>
}

/**
 * The overlays of the tool lists. Overlays are applied in their order. In an overlay, a tool always has its
 * genuine name.
 *
 * A renamed tool can be called only by its new name. A hidden tool can still be called, because tests check
 * whether a policy denies such a call.
 */
export class Catalogue {
  readonly #known: KnownTools
  #rows: Row[] = []

  constructor(known: KnownTools) {
    this.#known = known
  }

  /** Returns whether a server has an overlay. */
  has(server: string): boolean {
    return this.#rows.length > 0 && this.#rows.some(({ overlay }) => overlay.server === server)
  }

  /**
   * Replaces all overlays. If one overlay is invalid, nothing changes.
   *
   * @throws Refusal `bad_overlay`, `unknown_server`, `unknown_tool`, or `name_taken` if two tools would have
   *   the same name
   */
  set(overlays: readonly Overlay[]): void {
    const read = checked(z.array(overlaySchema), overlays, 'bad_overlay', 'overlays')
    for (const overlay of read) this.#requireTarget(overlay)
    this.#requireNames(read)
    this.#replace(read.map(overlay => ({ overlay, lists: 0, own: new Map() })))
  }

  list(): OverlayStatus[] {
    return this.#rows.map(row => ({
      ...structuredClone(row.overlay),
      lists: row.lists,
      inEffect: inEffect(row),
    }))
  }

  clear(): void {
    this.#replace([])
  }

  snapshot(): CatalogueSnapshot {
    return structuredClone(this.#rows.map(row => ({ ...row, own: [...row.own] })))
  }

  /** Restores the overlays and their counts from a snapshot. */
  restore(snapshot: CatalogueSnapshot): void {
    this.#replace(structuredClone([...snapshot]).map(row => ({ ...row, own: new Map(row.own) })))
  }

  /**
   * Returns one page of a server's list for a caller. A request without a cursor counts as one list.
   *
   * @throws Refusal `bad_cursor`
   */
  page(
    server: string,
    caller: string,
    cursor: string | undefined,
    counted: Counted = 'together',
  ): { tools: ListedTool[]; nextCursor?: string } {
    const listed = this.#overlaid(server, caller, counted).filter(({ hidden }) => !hidden)
    const sizes = this.#pageSizes(server, caller, counted)
    const { items, nextCursor } = pageOf(listed, sizes, cursor)
    if (cursor === undefined) this.#count(server, caller, counted)
    return { tools: items.map(({ listing }) => listing), ...defined({ nextCursor }) }
  }

  /** Returns the cache duration and scope of a caller's list. A value that no overlay sets is left out. */
  caching(
    server: string,
    caller: string,
    counted: Counted = 'together',
  ): { ttlMs?: number; cacheScope?: 'public' | 'private' } {
    const rows = this.#rows.filter(
      row => concerns(row.overlay, server, caller) && inEffectFor(row, caller, counted),
    )
    return Object.assign(
      {},
      ...rows.map(({ overlay: { do: change } }) =>
        'ttlMs' in change || 'cacheScope' in change ? change : undefined,
      ),
    )
  }

  /**
   * Returns the tool that a caller calls by this name, even if the tool is hidden. Returns undefined if there
   * is no such tool.
   */
  find(server: string, caller: string, name: string, counted: Counted = 'together'): Overlaid | undefined {
    return this.#overlaid(server, caller, counted).find(({ listing }) => listing.name === name)
  }

  /** Returns the genuine name of a tool. Returns the given name if the tool is added or unknown. */
  genuineName(server: string, caller: string, name: string, counted: Counted = 'together'): string {
    if (!this.has(server)) return name
    return this.find(server, caller, name, counted)?.genuine ?? name
  }

  /** Returns the names of the tools in a caller's list. */
  names(server: string, caller: string, counted: Counted = 'together'): string[] {
    return this.#overlaid(server, caller, counted)
      .filter(({ hidden }) => !hidden)
      .map(({ listing }) => listing.name)
  }

  /** Returns every name by which any caller can call a tool of a server. Includes hidden tools. */
  callableNames(server: string): string[] {
    const genuine = this.#known.server(server).tools.map(({ name }) => name)
    const given = this.#rows.flatMap(({ overlay: { server: of, do: change } }) => {
      if (of !== server) return []
      if ('rename' in change) return [change.rename]
      return 'add' in change ? [change.add.name] : []
    })
    return [...genuine, ...given]
  }

  #overlaid(server: string, caller: string, counted: Counted): Overlaid[] {
    const rows = this.#rows.filter(
      row => concerns(row.overlay, server, caller) && inEffectFor(row, caller, counted),
    )
    const { tools } = this.#known.server(server)
    return applyOverlays(
      tools,
      rows.map(row => row.overlay),
    )
  }

  #pageSizes(server: string, caller: string, counted: Counted): number | readonly number[] {
    let sizes: number | readonly number[] = Number.POSITIVE_INFINITY
    for (const row of this.#rows) {
      const { overlay } = row
      if (!('page' in overlay.do) || !concerns(overlay, server, caller)) continue
      if (inEffectFor(row, caller, counted)) sizes = overlay.do.page
    }
    return sizes
  }

  #count(server: string, caller: string, counted: Counted): void {
    let announce = false
    for (const row of this.#rows) {
      if (!concerns(row.overlay, server, caller)) continue
      row.lists++
      const lists = counted === 'alone' ? countAlone(row, caller) : row.lists
      if (lists === row.overlay.after && row.overlay.notify) announce = true
    }
    // The clients are notified after the last list without the overlay has been sent.
    if (announce) setImmediate(() => this.#known.server(server).announce())
  }

  #replace(rows: Row[]): void {
    const changing = [...this.#rows, ...rows].filter(row => row.overlay.notify === true && inEffect(row))
    this.#rows = rows
    for (const server of new Set(changing.map(({ overlay }) => overlay.server))) {
      this.#known.server(server).announce()
    }
  }

  #requireTarget({ server, tool, do: change }: Overlay): void {
    const [kind = ''] = Object.keys(change)
    const ofWholeList = OF_WHOLE_LIST.some(own => own in change)
    if (ofWholeList === (tool === undefined)) {
      if (tool === undefined) this.#known.server(server)
      else this.#known.requireTool(server, tool)
      return
    }
    throw new Refusal(
      'bad_overlay',
      ofWholeList
        ? `overlays: ${kind} changes the whole list, but names the tool ${tool}`
        : `overlays: ${kind} names no tool`,
      ofWholeList ? 'leave out tool' : 'set tool to the genuine name of a tool',
    )
  }

  /**
   * Checks that no two tools have the same name when all overlays are in effect. The check covers each named
   * caller, and a caller that no overlay names.
   */
  #requireNames(overlays: readonly Overlay[]): void {
    const callers = new Set(overlays.flatMap(({ callers = [] }) => callers))
    for (const server of new Set(overlays.map(overlay => overlay.server))) {
      const { tools } = this.#known.server(server)
      for (const caller of [...callers, undefined]) {
        const concerned = overlays.filter(overlay => concerns(overlay, server, caller))
        const names = applyOverlays(tools, concerned).map(({ listing }) => listing.name)
        const duplicate = names.find((name, index) => names.indexOf(name) !== index)
        if (duplicate === undefined) continue
        throw new Refusal(
          'name_taken',
          `overlays: two tools of ${server} would be called ${JSON.stringify(duplicate)}`,
          'rename the other tool too, or choose another name',
        )
      }
    }
  }
}

function inEffect({ overlay: { after = 0 }, lists }: Row): boolean {
  return lists >= after
}

function inEffectFor(row: Row, caller: string, counted: Counted): boolean {
  if (counted === 'together') return inEffect(row)
  return (row.own.get(caller) ?? 0) >= (row.overlay.after ?? 0)
}

/**
 * Counts a list for a caller that is counted alone. Returns the new count. A count that exceeds
 * `after` is not stored, because the overlay is already in effect.
 */
function countAlone({ overlay: { after = 0 }, own }: Row, caller: string): number {
  const lists = (own.get(caller) ?? 0) + 1
  if (lists > after) return lists
  own.set(caller, lists)
  const [first] = own.keys()
  if (own.size > MAX_COUNTED_ALONE && first !== undefined) own.delete(first)
  return lists
}

/**
 * Returns whether an overlay changes a caller's list.
 *
 * @param caller undefined for a caller that no overlay names
 */
function concerns(overlay: Overlay, server: string, caller: string | undefined): boolean {
  if (overlay.server !== server) return false
  return overlay.callers === undefined || (caller !== undefined && overlay.callers.includes(caller))
}

/** A tool in a list. An added tool can lack a title and annotations, which every genuine tool has. */
interface ListedTool extends Omit<ToolListing, 'title' | 'annotations'> {
  title?: string
  annotations?: Partial<ToolListing['annotations']>
}

/** A tool after its overlays were applied. */
interface Overlaid {
  listing: ListedTool
  /** The genuine name. Undefined for an added tool. */
  genuine: string | undefined
  /** The text that answers every call of an added tool. */
  answer: string
  /** Names of the arguments that overlays have added. The genuine tool does not have them. */
  extra: readonly string[]
  hidden: boolean
}

/** Returns the tools of a server after applying overlays in their order. */
function applyOverlays(tools: readonly ToolListing[], overlays: readonly Overlay[]): Overlaid[] {
  const overlaid: Overlaid[] = tools.map(listing => ({
    listing,
    genuine: listing.name,
    answer: '',
    extra: [],
    hidden: false,
  }))
  for (const { tool, do: change } of overlays) {
    if ('add' in change) overlaid.push(added(change.add))
    for (const shown of overlaid)
      if (shown.genuine !== undefined && shown.genuine === tool) applyChange(shown, change)
  }
  return overlaid
}

function added({ answer, ...listing }: Extract<Change, { add: unknown }>['add']): Overlaid {
  return {
    listing: { inputSchema: { type: 'object' }, ...listing },
    genuine: undefined,
    answer,
    extra: [],
    hidden: false,
  }
}

function applyChange(shown: Overlaid, change: Change): void {
  const { listing } = shown
  if ('rename' in change) shown.listing = { ...listing, name: change.rename }
  else if ('describe' in change) {
    const { describe: description, title = listing.title } = change
    shown.listing = { ...listing, description, ...defined({ title }) }
  } else if ('annotate' in change) {
    shown.listing = { ...listing, annotations: { ...listing.annotations, ...change.annotate } }
  } else if ('hide' in change) shown.hidden = true
  else if ('widen' in change) widen(shown, change)
}

function widen(shown: Overlaid, { widen: wider, required = [] }: Extract<Change, { widen: unknown }>): void {
  const { listing, extra } = shown
  const { properties = {}, required: needed = [], ...schema } = listing.inputSchema
  const known = Object.keys(Object(properties))
  const names = Array.isArray(needed) ? needed : []
  const inputSchema = {
    ...schema,
    properties: { ...Object(properties), ...wider },
    ...(names.length + required.length > 0 && { required: [...new Set([...names, ...required])] }),
  }
  shown.listing = { ...listing, inputSchema }
  shown.extra = [...extra, ...Object.keys(wider).filter(name => !known.includes(name))]
}

interface Page<Item> {
  items: Item[]
  /** Undefined on the last page. */
  nextCursor: string | undefined
}

/**
 * Returns one page of a list.
 *
 * @param sizes the size of every page, or the sizes of the first pages. In the second case, the rest is one
 *   more page.
 * @param cursor the cursor from the previous page. Undefined for the first page.
 * @throws Refusal `bad_cursor`
 */
function pageOf<Item>(
  items: readonly Item[],
  sizes: number | readonly number[],
  cursor: string | undefined,
): Page<Item> {
  const pages = cut(items, sizes)
  const index = cursor === undefined ? 0 : Number(/^page-([1-9]\d*)$/.exec(cursor)?.[1])
  const page = pages[index]
  if (page === undefined) {
    throw new Refusal(
      'bad_cursor',
      `unknown cursor ${JSON.stringify(cursor)}`,
      'request the first page, without a cursor',
    )
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
