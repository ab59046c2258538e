import { shown } from '../../../shared/util/shown.js'
import { KNOWN_TOOLS, knownTool } from './known-tools.js'
import { type Condition, type Policy, type Rule, rate } from './model.js'

export type Verdict = 'hidden' | 'denied' | 'approval' | 'conditional' | 'limited' | 'allowed'

/** The effect of a policy on the calls of one tool. */
export interface ToolMeaning {
  readonly tool: string
  /** The strictest verdict of all rules for the tool. */
  readonly verdict: Verdict
  /** The explanation for the author of the policy. */
  readonly words: string
}

/**
 * Explains what a policy does with each tool that it names, and with the other tools of the same servers. If
 * the policy names no known tool, all fourteen known tools are explained.
 */
export function explainPolicy(policy: Policy): ToolMeaning[] {
  return toolsOf(policy).map(tool => explainTool(policy, tool))
}

/**
 * Returns the tools that `explainPolicy` explains. Known tools are first, in the order in which their servers
 * list them.
 */
export function toolsOf(policy: Policy): string[] {
  const named = [...new Set([...policy.tools.keys(), ...policy.hide])].filter(name => name !== '*')
  const servers = new Set(named.flatMap(name => knownTool(name)?.server ?? []))
  const known = Object.entries(KNOWN_TOOLS).filter(
    ([, { server }]) => servers.size === 0 || servers.has(server),
  )
  return [...known.map(([name]) => name), ...named.filter(name => knownTool(name) === undefined)]
}

export function explainTool(policy: Policy, tool: string): ToolMeaning {
  if (policy.hide.includes('*') || policy.hide.includes(tool)) {
    return { tool, verdict: 'hidden', words: 'left out of the list of tools, and denied' }
  }
  const own = policy.tools.get(tool)
  if (own === undefined && policy.default === 'deny') {
    return { tool, verdict: 'denied', words: 'not named, and the default is deny' }
  }
  const rules = [...(own ?? []), ...policy.everyTool]
  if (rules.some(alwaysDenies)) return { tool, verdict: 'denied', words: 'every call is denied' }
  const words = [
    ...rules.flatMap(conditionWords),
    ...(own ?? []).flatMap(rule => limitWords(rule, '')),
    ...policy.everyTool.flatMap(rule => limitWords(rule, ' over all tools')),
    ...new Set(rules.flatMap(approvalWords)),
    ...rules.flatMap(spendWords),
  ]
  const unnamed = own === undefined ? ['not named, and the default is allow'] : []
  return { tool, verdict: verdictOf(rules), words: [...unnamed, ...words].join('; ') || 'every call' }
}

/** Returns whether a rule denies every call. */
export function alwaysDenies({ demand }: Rule): boolean {
  return demand.kind === 'deny' || (demand.kind === 'forbid' && demand.conditions.length === 0)
}

function verdictOf(rules: readonly Rule[]): Verdict {
  const kinds = rules.map(({ demand }) => demand.kind)
  if (kinds.includes('approve')) return 'approval'
  if (kinds.includes('require') || kinds.includes('forbid')) return 'conditional'
  return kinds.includes('limit') || kinds.includes('spend') ? 'limited' : 'allowed'
}

function conditionWords({ demand }: Rule): string[] {
  if (demand.kind === 'require') return [`only if ${all(demand.conditions)}`]
  return demand.kind === 'forbid' ? [`not if ${all(demand.conditions)}`] : []
}

function approvalWords({ demand }: Rule): string[] {
  if (demand.kind !== 'approve') return []
  if (demand.conditions.length === 0) return ['each call needs approval']
  return [`a call needs approval if ${all(demand.conditions)}`]
}

function spendWords({ demand }: Rule): string[] {
  if (demand.kind !== 'spend') return []
  const { perCall, daily } = demand
  return [
    ...(perCall === undefined ? [] : [`pays at most ${perCall} for a call`]),
    ...(daily === undefined ? [] : [`pays at most ${daily} a day`]),
  ]
}

function all(conditions: readonly Condition[]): string {
  return conditions.map(words).join(' and ')
}

const WORDS: Record<Condition['op'], string> = {
  eq: 'is',
  neq: 'is given and is not',
  in: 'is one of',
  not_in: 'is given and is none of',
  lt: 'is less than',
  lte: 'is at most',
  gt: 'is more than',
  gte: 'is at least',
  regex: 'matches',
  contains: 'contains',
  exists: '',
}

function words({ path, op, value }: Condition): string {
  if (op === 'exists') return `${path} is ${value === true ? 'given' : 'not given'}`
  return `${path} ${WORDS[op]} ${shown(value)}`
}

function limitWords({ demand }: Rule, over: string): string[] {
  if (demand.kind !== 'limit') return []
  const { amount, perGrant } = demand.limit
  const unit =
    typeof amount === 'number'
      ? amount === 1
        ? ''
        : `, each call counted as ${amount}`
      : `, in ${amount.path}`
  return [`at most ${rate(demand.limit)}${over}${unit}${perGrant ? ', for each grant' : ''}`]
}
