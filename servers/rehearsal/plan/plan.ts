import type { ServerName } from '../../../shared/util/known-tools.js'
import { defined } from '../../../shared/util/objects.js'
import { toolsOf } from '../../gateway/policy/explain.js'
import { knownTool } from '../../gateway/policy/known-tools.js'
import type { Policy } from '../../gateway/policy/model.js'
import { resolved, usesUp } from '../stage/fixtures.js'
import { isHidden, isOpen, passingArguments, rulesOf, type Sample } from './arguments.js'
import { conditionSteps, withoutValues } from './condition-steps.js'
import { exchangeGroups, NO_LIMIT, tightest } from './exchange-steps.js'
import { limitsOf, type Spending } from './exhaust-limit.js'
import { limitGroups } from './limit-steps.js'
import { oddGroup, similarNames } from './odd-requests.js'
import { type Group, one, type Planned, type PlannedCall, type Step } from './step.js'

/** Minimum time between the starts of two fresh groups, in milliseconds. */
const SHORTEST_MS = 60_000

const NO_VALUE = 'no value was found for it: give one in a scenario'

export interface PlanOptions {
  policy: Policy
  servers: readonly ServerName[]
  /** The name of an additional tool that each server lists and that the policy does not name. */
  decoy: string
  /** Whether a caller can have several sessions. */
  sessions: boolean
  /** Whether the rehearsal can approve calls. */
  approves: boolean
  /** Whether the rehearsal can move the gateway's clock. If not, a used-up limit stays used up. */
  advances: boolean
  /**
   * Whether the gateway can be behind a bridge that turns the upstream's HTTP errors into JSON-RPC errors.
   * See `Way.bridged`.
   */
  bridged: boolean
  /** An example of each prepared value, by the name in references. */
  examples: ReadonlyMap<string, unknown>
  /** The time of the stage's clock when the plan begins, in milliseconds. */
  start: number
}

/**
 * Returns the time between the starts of fresh groups, in milliseconds. It is long enough for every limit to
 * begin a new window.
 */
function freshMs(policy: Policy): number {
  return Math.max(SHORTEST_MS, ...limitsOf(policy).map(({ windowMs }) => windowMs))
}

/** Returns the next instant at which a fresh group can begin, in milliseconds. */
export function freshStart(policy: Policy, now: number): number {
  const unit = freshMs(policy)
  return (Math.floor(now / unit) + 1) * unit
}

/** Plans calls that test all rules of a policy, tool by tool. */
export async function plan({
  policy,
  servers,
  decoy,
  sessions,
  approves,
  advances,
  bridged,
  examples,
  start,
}: PlanOptions): Promise<Planned[]> {
  const sample: Sample = args => sampled(args, examples)
  const tools = toolsOf(policy).filter(tool => onStage(tool, servers))
  let now = start
  const startOf = (steps: readonly Step[] | undefined): number => {
    const begins = freshStart(policy, now)
    if (steps !== undefined) now = end(steps, begins)
    return begins
  }
  const planned: Planned[] = []
  const add = (groups: readonly Planned[]) => {
    for (const group of groups) if (!('why' in group) && group.fresh) startOf(group.steps)
    planned.push(...groups)
  }
  const limits = { policy, sessions, approves, advances, bridged, startOf }
  for (const server of servers) {
    add([listGroup(server)])
    const own = tools.filter(tool => (knownTool(tool)?.server ?? servers[0]) === server)
    add(exchangeGroups({ policy, server, tools: own, sample, sessions, advances, bridged }))
  }
  for (const tool of tools) {
    add([{ title: tool, fresh: true, steps: toolSteps(policy, tool, sample) }])
    add(
      withoutValues(policy, tool, sample).map(step => ({
        title: tool,
        step: `${tool}, ${step}`,
        why: NO_VALUE,
      })),
    )
    const spendings = [spendingOf(policy, tool, sample)]
    const beside = tightestOther(policy, tool, tools, sample)
    planned.push(...(await limitGroups(policy.tools.get(tool) ?? [], { ...limits, spendings, beside })))
  }
  const spendings = tools.filter(tool => isOpen(policy, tool)).map(tool => spendingOf(policy, tool, sample))
  planned.push(...(await limitGroups(policy.everyTool, { ...limits, spendings })))
  for (const server of servers) {
    const call = { tool: decoy, args: {}, as: 'agent', server }
    add([
      {
        title: `${server}: a tool that the policy does not name`,
        fresh: true,
        steps: [one(call, 'offered and not named')],
      },
    ])
    add([oddGroup({ policy, server, tools, sample, sessions })])
  }
  return planned
}

function listGroup(server: ServerName): Group {
  const list = { list: server, as: 'agent' }
  return { title: `${server}: what is listed`, fresh: false, steps: [list, { ...list, paged: true }] }
}

/**
 * Returns the steps for one tool: an ordinary call, an approval if a rule asks for one, tests of the
 * conditions, and calls by similar names.
 */
function toolSteps(policy: Policy, tool: string, sample: Sample): Step[] {
  const call: PlannedCall = { tool, args: passingArguments(policy, tool, sample), as: 'agent' }
  const hidden = isHidden(policy, tool)
  const named = policy.tools.has(tool)
  const once = one(call, hidden ? 'hidden' : named ? undefined : 'not named by the policy')
  if (!hidden && !named && policy.default === 'deny') return [once, withoutId(call)]
  const names = similarNames(tool)
  const similar: Step = {
    calls: names.map(name => ({
      ...call,
      tool: name,
      // A gateway may mistake the similar name for the tool. The forwarded call then uses up the prepared
      // values.
      ownFixtures: usesUp(tool),
      ...defined({ server: knownTool(tool)?.server }),
    })),
    sending: 'in turn',
    say: `${tool}, by ${names.length} similar names`,
  }
  if (hidden) return [once, withoutId(call), similar]
  const approval = rulesOf(policy, tool).some(({ demand }) => demand.kind === 'approve')
  return [
    once,
    ...(approval ? [{ approve: true } as const] : []),
    ...(isOpen(policy, tool) ? [] : [withoutId(call)]),
    ...conditionSteps(policy, tool, sample),
    similar,
  ]
}

/** Returns a step that sends a call without an id. */
function withoutId(call: PlannedCall): Step {
  return one({ ...call, notification: true }, 'without an id')
}

/**
 * Returns a call of another tool of the same server. Chooses the tool with the lowest limit. Undefined if no
 * other tool has a limit.
 */
function tightestOther(
  policy: Policy,
  tool: string,
  tools: readonly string[],
  sample: Sample,
): PlannedCall | undefined {
  const server = knownTool(tool)?.server
  const [other] = tools
    .filter(each => each !== tool && each !== 'create_postgres' && knownTool(each)?.server === server)
    .filter(each => isOpen(policy, each) && tightest(policy, each) < NO_LIMIT)
    .sort((a, b) => tightest(policy, a) - tightest(policy, b))
  return other === undefined ? undefined : spendingOf(policy, other, sample).call
}

function spendingOf(policy: Policy, tool: string, sample: Sample): Spending {
  const args = passingArguments(policy, tool, sample)
  return { call: { tool, args, as: 'agent' }, sent: sample(args) }
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

/** Returns the instant at which steps end if they begin at `begins`, in milliseconds. Calls take no time. */
function end(steps: readonly Step[], begins: number): number {
  return steps.reduce((now, step) => {
    if ('advance' in step) return now + step.advance
    if (!('windowMs' in step)) return now
    return now + step.windowMs - (now % step.windowMs) - (step.shortlyBefore ? 1 : 0)
  }, begins)
}
