import { defined } from '../../../shared/util/defined.js'
import type { ServerName } from '../../../shared/util/known-tools.js'
import { toolsOf } from '../../gateway/policy/explain.js'
import { knownTool } from '../../gateway/policy/known-tools.js'
import type { Policy, Rule } from '../../gateway/policy/model.js'
import type { Group, Step } from '../scenario.js'
import { resolved } from '../stage/fixtures.js'
import { conditionSteps, withoutValues } from './condition-steps.js'
import { limitsOf, type Spending } from './exhaust-limit.js'
import { limitGroups, type Planned } from './limit-steps.js'
import { passingArguments, rulesOf, type Sample } from './passing-arguments.js'

/** Whatever a policy says, no window is waited out for longer than it lasts. */
const SHORTEST_MS = 60_000

const NO_VALUE = 'no value was found for it: give one in a scenario'

export interface PlanOptions {
  policy: Policy
  servers: readonly ServerName[]
  /** What prepared references look like. */
  examples: ReadonlyMap<string, unknown>
  /** The stage's clock as it begins. */
  start: number
}

/** How far apart fresh groups begin: by then every window has turned. */
export function freshMs(policy: Policy): number {
  return Math.max(SHORTEST_MS, ...limitsOf(policy).map(({ windowMs }) => windowMs))
}

/** The instant at which a group begins that is to begin afresh. */
export function freshStart(policy: Policy, now: number): number {
  const unit = freshMs(policy)
  return (Math.floor(now / unit) + 1) * unit
}

/** A scenario that touches everything a policy says, tool by tool. */
export async function plan({ policy, servers, examples, start }: PlanOptions): Promise<Planned[]> {
  const sample: Sample = args => sampled(args, examples)
  const tools = toolsOf(policy).filter(tool => onStage(tool, servers))
  let now = start
  const startOf = (steps: readonly Step[] | undefined): number => {
    const begins = freshStart(policy, now)
    if (steps !== undefined) now = begins + passed(steps)
    return begins
  }
  const add = (group: Group): Group => {
    if (group.fresh) startOf(group.steps)
    return group
  }
  const planned: Planned[] = servers.map(server =>
    add({ title: `${server}: what is listed`, fresh: false, steps: [{ list: server }] }),
  )
  for (const tool of tools) {
    planned.push(add({ title: tool, fresh: true, steps: callSteps(policy, tool, sample) }))
    for (const step of withoutValues(policy, tool, sample)) {
      planned.push({ title: tool, step: `${tool}, ${step}`, why: NO_VALUE })
    }
    const rules = policy.tools.get(tool) ?? []
    planned.push(...(await limitGroups(policy, rules, [spendingOf(policy, tool, sample)], startOf)))
  }
  const spendings = tools.filter(tool => isOpen(policy, tool)).map(tool => spendingOf(policy, tool, sample))
  planned.push(...(await limitGroups(policy, policy.everyTool, spendings, startOf)))
  planned.push(...servers.flatMap(server => add(oddGroup(policy, server, tools, sample))))
  return planned
}

/** A tool by itself: called once, then around each of its conditions, then with an approval if it takes one. */
function callSteps(policy: Policy, tool: string, sample: Sample): Step[] {
  const args = passingArguments(policy, tool, sample)
  const hidden = policy.hide.includes('*') || policy.hide.includes(tool)
  const named = policy.tools.has(tool)
  const say = hidden ? 'hidden' : named ? undefined : 'not named by the policy'
  const once: Step = { call: tool, args, ...defined({ say }) }
  if (hidden || (!named && policy.default === 'deny')) return [once]
  const approval = rulesOf(policy, tool).some(({ demand }) => demand.kind === 'approve')
  return [once, ...(approval ? [{ approve: true } as const] : []), ...conditionSteps(policy, tool, sample)]
}

/** What no client does by itself: arguments that are no object, and a batch of which one call is to be denied. */
function oddGroup(policy: Policy, server: ServerName, tools: readonly string[], sample: Sample): Group {
  const own = tools.filter(tool => (knownTool(tool)?.server ?? server) === server)
  const open = own.find(tool => isOpen(policy, tool) && tool !== 'create_postgres')
  const shut = own.find(tool => !isOpen(policy, tool)) ?? 'no_such_tool'
  const call = (tool: string) => ({ call: tool, args: passingArguments(policy, tool, sample) })
  const steps: Step[] = [
    { call: open ?? shut, args: ['not an object'], say: 'with a list for arguments' },
    { call: open ?? shut, args: 'not an object', say: 'with a text for arguments' },
    { batch: [...(open === undefined ? [] : [call(open)]), call(shut)] },
  ]
  return { title: `${server}: what no client does by itself`, fresh: true, steps }
}

function spendingOf(policy: Policy, tool: string, sample: Sample): Spending {
  const args = passingArguments(policy, tool, sample)
  return { tool, args, sent: sample(args) }
}

/** Whether a call can pass at all, and without anybody's approval. */
function isOpen(policy: Policy, tool: string): boolean {
  if (policy.hide.includes('*') || policy.hide.includes(tool)) return false
  if (!policy.tools.has(tool) && policy.default === 'deny') return false
  return !rulesOf(policy, tool).some(shuts)
}

function shuts({ demand }: Rule): boolean {
  return (
    demand.kind === 'deny' ||
    demand.kind === 'approve' ||
    (demand.kind === 'forbid' && demand.conditions.length === 0)
  )
}

function onStage(tool: string, servers: readonly ServerName[]): boolean {
  const server = knownTool(tool)?.server
  return server === undefined || servers.includes(server)
}

function sampled(args: unknown, examples: ReadonlyMap<string, unknown>): Record<string, unknown> {
  const found = resolved(
    args,
    name => examples.get(name),
    reference => {
      throw new TypeError(`${reference} has no example`)
    },
  )
  return typeof found === 'object' && found !== null && !Array.isArray(found)
    ? Object.fromEntries(Object.entries(found))
    : {}
}

function passed(steps: readonly Step[]): number {
  return steps.reduce((sum, step) => sum + ('advance' in step ? step.advance : 0), 0)
}
