import { shown } from '../../../shared/util/shown.js'
import type { Fields, Place } from './located-value.js'
import { type Policy, type Rule, rate } from './model.js'

/** What all dialects write in the same way. */
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

/** Turns down limits of one tool that share a counter, or count the same over the same window. */
export function refuseDoubles(rules: readonly { place: Place; rule: Rule }[]): void {
  const counters = new Map<string, number>()
  const windows = new Map<string, { max: number; line: number }>()
  for (const { place, rule } of rules) {
    if (rule.demand.kind !== 'limit') continue
    const { counter, windowMs, amount, max } = rule.demand.limit
    const counted = `${windowMs} ${typeof amount === 'number' ? '' : amount.path}`
    const other = windows.get(counted)
    const sharing = counters.get(counter)
    if (sharing !== undefined) {
      place.refuse(
        `uses the counter of line ${sharing} once more`,
        'leave one limit, or name another counter',
      )
    } else if (other !== undefined) {
      const message = `limits to ${rate({ max, windowMs })} what line ${other.line} limits to ${other.max}`
      place.refuse(message, 'only the smaller would ever count: leave one')
    } else windows.set(counted, { max, line: place.line })
    counters.set(counter, sharing ?? place.line)
  }
}

/** A policy of a dialect in which what is not named is let through unless the head says otherwise. */
export function openPolicy(
  dialect: Policy['dialect'],
  { description, default: written, hide }: Head,
  tools: Pick<Policy, 'tools' | 'everyTool'>,
): Policy {
  return {
    dialect,
    description,
    hide,
    default: written ?? 'allow',
    defaultWritten: written !== undefined,
    tools: tools.tools,
    everyTool: tools.everyTool,
  }
}
