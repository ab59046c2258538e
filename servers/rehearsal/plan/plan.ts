import { defined } from '../../../shared/util/defined.js'
import type { ServerName } from '../../../shared/util/known-tools.js'
import { shown } from '../../../shared/util/shown.js'
import { toolsOf } from '../../gateway/policy/explain.js'
import { knownTool } from '../../gateway/policy/known-tools.js'
import { argumentAt, type Condition, type Policy, type Rule } from '../../gateway/policy/model.js'
import type { CallStep, Group, Step } from '../scenario.js'
import { resolved } from '../stage/fixtures.js'
import { fullArguments, literally, passingArguments, rulesOf, type Sample, withValue } from './arguments.js'
import { around } from './condition-values.js'
import { limitsOf, type Spending } from './exhaust-limit.js'
import { limitGroups, type Planned } from './limit-steps.js'

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
function freshMs(policy: Policy): number {
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

/** Each condition on a tool's arguments: with a value that holds, with one that does not, and without the argument. */
function conditionSteps(policy: Policy, tool: string, sample: Sample): CallStep[] {
  const passing = passingArguments(policy, tool, sample)
  return rulesOf(policy, tool).flatMap(({ demand }) => {
    if (demand.kind !== 'require' && demand.kind !== 'forbid') return []
    // Only with all others holding does what is forbidden hang on this one.
    const base = demand.kind === 'forbid' ? allHolding(demand, passing, sample, tool) : passing
    return demand.conditions.flatMap(condition => stepsOf(tool, condition, base, sample))
  })
}

/** The conditions for which no value was found, on one side or on both: nobody but the policy's author knows one. */
function withoutValues(policy: Policy, tool: string, sample: Sample): string[] {
  const passing = passingArguments(policy, tool, sample)
  return rulesOf(policy, tool).flatMap(({ demand }) => {
    if (demand.kind !== 'require' && demand.kind !== 'forbid') return []
    return demand.conditions.flatMap(condition => {
      if (condition.subject.from !== 'args' || condition.op === 'exists') return []
      const { holding, failing } = valuesFor(condition, passing, sample, tool)
      const sides = [
        ...(holding === undefined ? ['holds'] : []),
        ...(failing === undefined ? ['does not hold'] : []),
      ]
      return sides.map(side => `${condition.path} ${condition.op} ${shown(condition.value)} ${side}`)
    })
  })
}

function allHolding(
  demand: Extract<Rule['demand'], { kind: 'forbid' }>,
  passing: Record<string, unknown>,
  sample: Sample,
  tool: string,
): Record<string, unknown> {
  return demand.conditions.reduce((args, condition) => {
    const { subject } = condition
    if (subject.from !== 'args') return args
    const { holding } = valuesFor(condition, args, sample, tool)
    return withValue(args, subject.keys, literally(holding))
  }, passing)
}

function stepsOf(
  tool: string,
  condition: Condition,
  base: Record<string, unknown>,
  sample: Sample,
): CallStep[] {
  const { subject, path, op } = condition
  if (subject.from !== 'args') return []
  const { holding, failing } = valuesFor(condition, base, sample, tool)
  const step = (value: unknown, say: string): CallStep => ({
    call: tool,
    args: withValue(base, subject.keys, value),
    say,
  })
  const given = argumentAt(base, subject.keys)
  return [
    ...(holding === undefined ? [] : [step(referenceOr(holding, given, sample), `${path} ${op} holds`)]),
    ...(failing === undefined ? [] : [step(literally(failing), `${path} ${op} does not hold`)]),
    step(undefined, `${path} left out`),
  ]
}

function valuesFor(condition: Condition, args: Record<string, unknown>, sample: Sample, tool: string) {
  const { subject, op, value } = condition
  if (subject.from !== 'args') return { holding: undefined, failing: undefined }
  const known =
    argumentAt(sample(args), subject.keys) ?? argumentAt(sample(fullArguments(tool)), subject.keys)
  const { holding, failing } = around(condition, known)
  if (op !== 'exists') return { holding, failing }
  // To be there or not is all that counts.
  return value === true
    ? { holding: known ?? 'rehearsal', failing: undefined }
    : { holding: undefined, failing: known ?? 'rehearsal' }
}

/** What was prepared is prepared anew for each call: the reference goes into the step, not what it stood for once. */
function referenceOr(value: unknown, given: unknown, sample: Sample): unknown {
  const stands = typeof given === 'string' ? argumentAt(sample({ given }), ['given']) : given
  return stands === value ? given : literally(value)
}
