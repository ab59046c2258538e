import { shown } from '../../../shared/util/shown.js'
import { type DialectVersion, includesVersion } from './dialect-version.js'
import type { Fields, Place } from './located-value.js'
import { type Policy, type Rule, rate } from './model.js'

/** The values of the keys that all dialects have. */
export interface SharedKeys {
  description: string | undefined
  default: 'allow' | 'deny' | undefined
  hide: string[]
}

type SharedKey = 'description' | 'default' | 'hide'

/** Reads `default` and `hide`, and also `description` if the dialect has this key. */
export function readSharedKeys(
  fields: Fields<SharedKey> | Fields<Exclude<SharedKey, 'description'>>,
): SharedKeys {
  const { found } = fields
  const description = found.get('description')?.plain()
  if (description !== undefined && typeof description !== 'string')
    found.get('description')?.mismatch('write a string')
  return {
    description: typeof description === 'string' ? description : undefined,
    default: found.get('default')?.oneOf(['allow', 'deny']),
    hide: readHide(found.get('hide')),
  }
}

function readHide(place: Place | undefined): string[] {
  const names = new Set<string>()
  for (const item of place?.items('write a list of tool names') ?? []) {
    const name = item.text('write the name of a tool, or "*"')
    if (name === undefined) continue
    if (names.has(name)) item.refuse(`is ${shown(name)} a second time`, 'remove one of them')
    else if (name !== '*' && name.includes('*')) item.mismatch('"*" cannot be a part of a name')
    names.add(name)
  }
  return [...names]
}

/**
 * Checks that `version` is the string "1". @param numberIsText true if the number 1 is accepted with a note
 */
export function readVersion(place: Place | undefined, numberIsText: boolean): void {
  const version = place?.plain()
  if (place === undefined || version === '1') return
  if (version === 1 && numberIsText) {
    place.warn('version_number', 'is the number 1, which Intercept reads as "1". Put it in quotes', 'note')
  } else place.mismatch('write "1" in quotes, which is the only version')
}

/**
 * Reads the rules of all tools.
 *
 * @param read reads the rules of one tool
 * @param everyTool true if the name `*` means every tool. Otherwise the remedy for a name that contains `*`
 */
export function readTools(
  place: Place | undefined,
  read: (tool: string, place: Place) => Rule[],
  everyTool: string | true,
): { tools: Map<string, Rule[]>; everyTool: Rule[] } {
  const tools = new Map<string, Rule[]>()
  let every: Rule[] = []
  for (const [tool, value] of place?.entries('write a map with the names of tools as keys') ?? []) {
    if (tool.trim() === '') value.refuse('has a blank name', 'name a tool')
    else if (tool === '*' && everyTool === true) every = read(tool, value)
    else if (tool.includes('*')) {
      const remedy = everyTool === true ? '"*" cannot be a part of a name' : everyTool
      value.refuse('names no tool', remedy)
    } else tools.set(tool, read(tool, value))
  }
  return { tools, everyTool: every }
}

/** A use of a counter in a rule, with its place in the text. */
export interface CounterUse {
  readonly place: Place
  readonly counter: string
}

/**
 * Reports a problem for two rules that use one counter, and for two limits that count the same calls in the
 * same kind of window.
 *
 * @param rules the rules of one tool
 * @param more uses of counters in rules that set no limit
 */
export function refuseDuplicateLimits(
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
      const message = `limits calls to ${rate({ max, windowMs })}, which line ${other.line} limits to ${other.max}`
      place.refuse(message, 'only the smaller limit has an effect: remove the other one')
    }
  }
}

/** Reports a problem for every use of a counter after the first. @returns the counters with several uses */
function refuseSharedCounters(uses: readonly CounterUse[]): Set<string> {
  const first = new Map<string, number>()
  const shared = new Set<string>()
  for (const { place, counter } of uses.toSorted((a, b) => a.place.line - b.place.line)) {
    const line = first.get(counter)
    if (line === undefined) first.set(counter, place.line)
    else {
      shared.add(counter)
      place.refuse(`uses the counter of line ${line} again`, 'remove one limit, or use another counter')
    }
  }
  return shared
}

/**
 * Builds the model of a policy of Intercept or of the tool pages. In both dialects, the default is to allow
 * tools that the policy does not name.
 *
 * @param version the version of Intercept's language
 */
export function buildPolicy(
  dialect: Policy['dialect'],
  version: DialectVersion,
  { description, default: written, hide }: SharedKeys,
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
