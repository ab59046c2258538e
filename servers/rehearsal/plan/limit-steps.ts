import { type Limit, type Policy, type Rule, windowName } from '../../gateway/policy/model.js'
import type { Group, Step } from '../scenario.js'
import { exhaust, type Spending } from './exhaust-limit.js'

/** A group, or why there is none. */
export type Planned = Group | { readonly title: string; readonly step: string; readonly why: string }

interface Limited {
  readonly rule: Rule
  readonly limit: Limit
}

/**
 * Each limit of a tool, or over all tools, at N, at one more, with another caller, and when its window has turned.
 *
 * @param start of the first group; tells of each one after that where it begins
 */
export async function limitGroups(
  policy: Policy,
  rules: readonly Rule[],
  spendings: readonly Spending[],
  startOf: (previous: readonly Step[] | undefined) => number,
): Promise<Planned[]> {
  const planned: Planned[] = []
  for (const { rule, limit } of rules.flatMap(limitedBy)) {
    const title = titleOf(rule, limit)
    const exhausted = await exhaust(policy, { rule, limit }, spendings, startOf(undefined))
    if ('why' in exhausted) {
      planned.push({ title, step: 'the limit', why: exhausted.why })
      continue
    }
    const { tool: call, args } = exhausted.spending
    const steps: Step[] = [
      ...exhausted.steps,
      { call, args, say: 'one more' },
      { call, args, as: 'other', say: 'by another caller' },
      { advance: limit.windowMs },
      { call, args, say: `once the ${windowName(limit.windowMs)} is over` },
    ]
    startOf(steps)
    planned.push({ title, fresh: true, steps })
  }
  return planned
}

function limitedBy(rule: Rule): Limited[] {
  return rule.demand.kind === 'limit' ? [{ rule, limit: rule.demand.limit }] : []
}

function titleOf({ name }: Rule, { max, windowMs }: Limit): string {
  return `${name}: ${max} per ${windowName(windowMs)}`
}
