import { closestName } from '../../../shared/util/closest-name.js'
import { type KnownTool, knownTool } from './known-tools.js'
import type { Condition, Policy, Rule, Warning } from './model.js'

/** Reviews the conditions of a policy on the arguments of tools. */
export function reviewConditions(policy: Policy): Warning[] {
  return [...policy.tools].flatMap(([tool, rules]) => {
    const known = knownTool(tool)
    const ofArguments = known === undefined ? [] : rules.flatMap(rule => unfitting(tool, known, rule))
    return [...ofArguments, ...rules.flatMap(rule => unanchored(tool, rule)), ...contradictions(tool, rules)]
  })
}

/** Warns of conditions that do not fit the arguments of a known tool. */
function unfitting(tool: string, known: KnownTool, { demand, line }: Rule): Warning[] {
  if (demand.kind !== 'require' && demand.kind !== 'forbid') return []
  const requires = demand.kind === 'require'
  return demand.conditions.flatMap(condition => {
    const { op } = condition
    const argument = condition.subject.from === 'args' ? condition.subject.keys[0] : undefined
    if (argument === undefined) return []
    const say = (code: string, message: string, level: Warning['level'] = 'warning'): Warning[] => [
      { code, level, message: `${tool}: ${message}`, line, tool },
    ]
    const all = [...known.required, ...known.optional]
    if (!all.includes(argument)) {
      const near = closestName(argument, all)
      const meant = near === undefined ? `it has ${all.join(', ') || 'none'}` : `${near} is probably meant`
      return say('unknown_argument', `there is no argument ${argument}; ${meant}`)
    }
    if (op === 'exists') return []
    if (COMPARISONS.includes(op) && known.numbers?.includes(argument) !== true) {
      const effect = requires ? 'every call is denied' : 'no call is denied'
      return say('compares_text', `${argument} is no number, so ${op} never holds for it: ${effect}`)
    }
    if (!known.optional.includes(argument)) return []
    return requires
      ? say('optional_made_mandatory', `a call that leaves ${argument} out is denied: ${op} fails without it`)
      : say(
          'passes_without',
          `a call that leaves ${argument} out is not denied: ${op} fails without it`,
          'note',
        )
  })
}

const COMPARISONS: readonly Condition['op'][] = ['lt', 'lte', 'gt', 'gte']

/** Warns of patterns that also match if other text precedes or follows them. */
function unanchored(tool: string, { demand, line }: Rule): Warning[] {
  if (demand.kind !== 'require') return []
  return demand.conditions.flatMap(({ op, value, path }): Warning[] => {
    if (op !== 'regex' || typeof value !== 'string') return []
    const [begins, ends] = [/^(\(\?\w+\))?(\^|\\A)/.test(value), /(\$|\\z)$/.test(value)]
    if (begins && ends) return []
    const where = begins ? 'any text may follow it' : ends ? 'any text may precede it' : 'it matches anywhere'
    const message = `${tool}: the pattern for ${path} lacks ${begins ? '$' : ends ? '^' : '^ and $'}: ${where}`
    return [{ code: 'unanchored', level: begins || ends ? 'note' : 'warning', message, line, tool }]
  })
}

/**
 * Warns of conditions that no argument can satisfy together: bounds without a number between them, or two
 * different values.
 */
function contradictions(tool: string, rules: readonly Rule[]): Warning[] {
  const bounds = new Map<string, { least: number; most: number; line: number }>()
  const values = new Map<string, Set<string>>()
  for (const { demand, line } of rules) {
    for (const { path, op, value } of demand.kind === 'require' ? demand.conditions : []) {
      const at = bounds.get(path) ?? { least: Number.NEGATIVE_INFINITY, most: Number.POSITIVE_INFINITY, line }
      bounds.set(path, { ...at, line })
      if (typeof value === 'number') bounds.set(path, { ...narrowed(at, op, value), line })
      if (op === 'eq') values.set(path, (values.get(path) ?? new Set()).add(JSON.stringify(value)))
    }
  }
  return [...bounds]
    .filter(([path, { least, most }]) => least > most || (values.get(path)?.size ?? 0) > 1)
    .map(([path, { line }]) => {
      const message = `${tool}: no call can pass, since the conditions on ${path} contradict one another`
      return { code: 'contradiction', level: 'warning', message, line, tool }
    })
}

function narrowed<Bounds extends { least: number; most: number }>(
  bounds: Bounds,
  op: Condition['op'],
  value: number,
): Bounds {
  if (op === 'lt' || op === 'lte') return { ...bounds, most: Math.min(bounds.most, value) }
  if (op === 'gt' || op === 'gte') return { ...bounds, least: Math.max(bounds.least, value) }
  return bounds
}
