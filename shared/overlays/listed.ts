import type { ToolListing } from '../util/known-tools.js'
import type { Change, Overlay } from './overlay.js'

/** A tool as a list shows it: an added one need not have all that a genuine one has. */
export interface ListedTool extends Omit<ToolListing, 'title' | 'annotations'> {
  title?: string
  annotations?: Partial<ToolListing['annotations']>
}

/** A tool under its overlays. */
export interface Overlaid {
  listing: ListedTool
  /** Its genuine name; undefined for an added one. */
  genuine: string | undefined
  /** What an added one is answered with. */
  answer: string
  /** Arguments that the list promises and the tool does not know. */
  extra: readonly string[]
  hidden: boolean
}

/** The tools of a server under overlays, which are laid on in their order. */
export function overlay(tools: readonly ToolListing[], overlays: readonly Overlay[]): Overlaid[] {
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
      if (shown.genuine !== undefined && shown.genuine === tool) lay(shown, change)
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

function lay(shown: Overlaid, change: Change): void {
  const { listing } = shown
  if ('rename' in change) shown.listing = { ...listing, name: change.rename }
  else if ('describe' in change) {
    const { describe: description, title = listing.title } = change
    shown.listing = { ...listing, description, ...(title !== undefined && { title }) }
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
