import { shown } from '../../../shared/util/shown.js'
import { type DialectVersion, includesVersion } from './dialect-version.js'
import type { Fields, Place } from './located-value.js'
import { type Policy, type Rule, rate } from './model.js'

/** The values of the keys that the dialects share. */
export interface Head {
  description: string | undefined
  default: 'allow' | 'deny' | undefined
  hide: string[]
}

type HeadKey = 'description' | 'default' | 'hide'

/** Reads the keys that the dialects share. Some dialects have no key `description`. */
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

/** Checks that `version` is the text "1". @param numberIsText whether the number 1 is accepted with a note */
export function readVersion(place: Place | undefined, numberIsText: boolean): void {
  const version = place?.plain()
  if (place === undefined || version === '1') return
  if (version === 1 && numberIsText) {
    place.warn('version_number', 'is the number 1, which Intercept takes for "1": put it in quotes', 'note')
  } else place.mismatch('"1" in quotes is the only version there is')
}

/**
 * Reads the rules of all tools.
 *
 * @param read reads the rules of one tool
 * @param everyTool true if `*` stands for every tool. Otherwise the remedy for a name with `*`
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

/** A use of a counter, and its place in the text. */
export interface CounterUse {
  readonly place: Place
  readonly counter: string
}

/**
 * Refuses two uses of one counter, and two limits on the same calls in the same window.
 *
 * @param rules the rules of one tool
 * @param more other uses of counters, which set no limit
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

/** Refuses each further use of a counter. @returns the counters that are used more than once */
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
 * Returns a policy of Intercept or of the tool pages. Both have the same default: tools that are not named
 * are allowed.
 *
 * @param version version of Intercept's language
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
