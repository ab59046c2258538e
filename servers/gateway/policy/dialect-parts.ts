import { shown } from '../../../shared/util/shown.js'
import { type DialectVersion, includesVersion } from './dialect-version.js'
import type { Fields, Place } from './located-value.js'
import { type Policy, type Rule, rate } from './model.js'

/** The keys that all dialects have in common. */
export interface Head {
  description: string | undefined
  default: 'allow' | 'deny' | undefined
  hide: string[]
}

type HeadKey = 'description' | 'default' | 'hide'

/** @param description whether the dialect has one */
export function readHead(fields: Fields<HeadKey> | Fields<Exclude<HeadKey, 'description'>>): Head {
  const { found } = fields
  const description = found.get('description')?.plain()
  if (description !== undefined && typeof description !== 'string')
    found.get('description')?.mismatch('a text')
  return {
    description: typeof description === 'string' ? description : undefined,
    default: found.get('default')?.oneOf(['allow', 'deny']),
    hide: readHide(found.get('hide')),
  }
}

function readHide(place: Place | undefined): string[] {
  const names = new Set<string>()
  for (const item of place?.items('a list of tool names') ?? []) {
    const name = item.text('the name of a tool, or "*"')
    if (name === undefined) continue
    if (names.has(name)) item.refuse(`is ${shown(name)} once more`, 'leave one')
    else if (name !== '*' && name.includes('*')) item.mismatch('only "*" by itself stands for other names')
    names.add(name)
  }
  return [...names]
}

/** `version` is "1", and a text. */
export function readVersion(place: Place | undefined, numberIsText: boolean): void {
  const version = place?.plain()
  if (place === undefined || version === '1') return
  if (version === 1 && numberIsText) {
    place.warn('version_number', 'is the number 1, which Intercept takes for "1": put it in quotes', 'note')
  } else place.mismatch('"1" in quotes is the only version there is')
}

/**
 * The tools and what reads their rules.
 *
 * @param everyTool whether `*` may stand for every tool
 */
export function readTools(
  place: Place | undefined,
  read: (tool: string, place: Place) => Rule[],
  everyTool: string | true,
): { tools: Map<string, Rule[]>; everyTool: Rule[] } {
  const tools = new Map<string, Rule[]>()
  let every: Rule[] = []
  for (const [tool, value] of place?.entries('it takes names of tools') ?? []) {
    if (tool.trim() === '') value.refuse('has a blank name', 'name a tool')
    else if (tool === '*' && everyTool === true) every = read(tool, value)
    else if (tool.includes('*')) {
      const remedy = everyTool === true ? 'only "*" by itself stands for other names' : everyTool
      value.refuse(`names no tool`, remedy)
    } else tools.set(tool, read(tool, value))
  }
  return { tools, everyTool: every }
}

/** A counter, and where the text names it. */
export interface CounterUse {
  readonly place: Place
  readonly counter: string
}

/**
 * Refuses two uses of one counter, and two limits on the same calls over the same window.
 *
 * @param rules of one tool
 * @param more uses of counters by what limits nothing
 */
export function refuseDoubles(
  rules: readonly { place: Place; rule: Rule }[],
  more: readonly CounterUse[] = [],
): void {
  const limits = rules.flatMap(({ place, rule: { demand } }) =>
    demand.kind === 'limit' ? [{ place, limit: demand.limit }] : [],
  )
  const uses = limits.map(({ place, limit: { counter } }) => ({ place, counter }))
  const shared = refuseSharedCounters([...uses, ...more])
  const windows = new Map<string, { max: number; line: number }>()
  for (const { place, limit } of limits) {
    const { windowMs, amount, max, counter } = limit
    const counted = `${windowMs} ${typeof amount === 'number' ? '' : amount.path}`
    const other = windows.get(counted)
    if (other === undefined) windows.set(counted, { max, line: place.line })
    else if (!shared.has(counter)) {
      const message = `limits to ${rate({ max, windowMs })} what line ${other.line} limits to ${other.max}`
      place.refuse(message, 'only the smaller would ever count: leave one')
    }
  }
}

/** @returns the counters that are used more than once */
function refuseSharedCounters(uses: readonly CounterUse[]): Set<string> {
  const first = new Map<string, number>()
  const shared = new Set<string>()
  for (const { place, counter } of uses.toSorted((a, b) => a.place.line - b.place.line)) {
    const line = first.get(counter)
    if (line === undefined) first.set(counter, place.line)
    else {
      shared.add(counter)
      place.refuse(`uses the counter of line ${line} once more`, 'leave one limit, or name another counter')
    }
  }
  return shared
}

/**
 * A policy of Intercept, or of the tool pages, which are read in the same way. Without a default, tools that are not named
 * are allowed.
 *
 * @param version of Intercept's language
 */
export function openPolicy(
  dialect: Policy['dialect'],
  version: DialectVersion,
  { description, default: written, hide }: Head,
  tools: Pick<Policy, 'tools' | 'everyTool'>,
): Policy {
  return {
    dialect,
    refundsToolErrors: includesVersion(version, 'intercept@2026-04'),
    description,
    hide,
    default: written ?? 'allow',
    defaultWritten: written !== undefined,
    tools: tools.tools,
    everyTool: tools.everyTool,
  }
}
