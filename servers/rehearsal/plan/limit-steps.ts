import { type Limit, type Policy, type Rule, windowName } from '../../gateway/policy/model.js'
import { referencesIn, usesUp } from '../stage/fixtures.js'
import { exhaust, type Spending } from './exhaust-limit.js'
import { type Failure, one, type Planned, type PlannedCall, repeated, type Step, times } from './step.js'

/** The calls that race for the last of a limit. One of them may pass. */
const RACERS = 4

/** Calls that the upstream fails with a JSON-RPC error. Their quota is given back, so that they are beside the limit. */
const REFUNDED = 2

/** How the upstream fails calls whose quota stays spent. In some dialects a tool error gives quota back. */
const SPENT: readonly Failure[] = ['tool_error', 'http_error']

/** The same where a bridge may make a JSON-RPC error of an HTTP error. */
const SPENT_BEHIND_A_BRIDGE: readonly Failure[] = ['tool_error']

const UNTIL_LAST = (tool: string) => `${tool}, until one call is left`

const FAILURES: Record<Failure, string> = {
  rpc_error: 'the upstream answers with a JSON-RPC error',
  tool_error: 'the upstream answers with a tool error',
  http_error: 'the upstream answers with HTTP 503',
}

export interface LimitPlanning {
  readonly policy: Policy
  /** Calls to use limits up with. */
  readonly spendings: readonly Spending[]
  /** A call that none of these limits counts. */
  readonly beside?: PlannedCall | undefined
  /** Whether a caller can have several sessions. */
  readonly sessions: boolean
  /** Whether calls can be approved. */
  readonly approves: boolean
  /** Whether time can be made to pass for the gateway. */
  readonly advances: boolean
  /** Whether a bridge may make JSON-RPC errors of the upstream's HTTP errors. */
  readonly bridged: boolean
  /** When the first group begins; with the steps of a group, where the next one does. */
  startOf(previous: readonly Step[] | undefined): number
}

/**
 * Plans the rows of each limit of some rules.
 *
 * Calls use the limit up. The upstream fails some of them, and the last ones race. Further calls test the used-up
 * limit: in a new session, without a session, by another caller, shortly before the window turns, and after that. A call
 * that needs an approval gets one each time. Without it, the approval would hide the limit.
 */
export async function limitGroups(rules: readonly Rule[], planning: LimitPlanning): Promise<Planned[]> {
  const { policy, spendings, startOf } = planning
  const planned: Planned[] = []
  for (const rule of rules) {
    if (rule.demand.kind !== 'limit') continue
    const { limit } = rule.demand
    const title = titleOf(rule, limit)
    const start = startOf(undefined)
    const exhaustAt = (at: number) =>
      exhaust(policy, { rule, limit }, spendings, { start: at, approves: planning.approves })
    // A window that begins with the first call, or slides, turns later than one of the calendar.
    const half = planning.advances ? limit.windowMs / 2 : 0
    const late = await exhaustAt(start + half)
    const exhausted = 'why' in late && half > 0 ? await exhaustAt(start) : late
    const wait = exhausted === late ? half : 0
    if ('why' in exhausted) {
      planned.push({ title, step: 'the limit', why: exhausted.why })
      continue
    }
    const { call } = exhausted.spending
    const { windowMs } = limit
    const approved: Step[] = exhausted.steps.some(step => 'approve' in step) ? [{ approve: true }] : []
    const steps: Step[] = [
      ...(wait > 0 ? [{ advance: wait }] : []),
      ...withTrouble(policy, exhausted.steps, call, planning.bridged ? SPENT_BEHIND_A_BRIDGE : SPENT),
      one(call, 'one more'),
      ...approved,
      ...otherValues(call),
      ...(planning.beside === undefined ? [] : [one(planning.beside, `while ${call.tool} is used up`)]),
      ...(planning.sessions ? [one({ ...call, session: 'new' }, 'in a new session')] : []),
      ...(planning.sessions ? [one({ ...call, session: 'none' }, 'without a session')] : []),
      one({ ...call, notification: true }, 'without an id'),
      one({ ...call, as: 'other' }, 'by another caller'),
      ...approved,
      { turn: windowMs, shortlyBefore: true },
      one(call, `shortly before the ${windowName(windowMs)} is over`),
      ...approved,
      { turn: windowMs },
      one(call, `once the ${windowName(windowMs)} is over`),
      ...approved,
    ]
    startOf(steps)
    planned.push({ title, fresh: true, windowMs, steps })
  }
  return planned
}

/** The calls that use up a limit: first some that fail at the upstream, and the last one in a race. */
function withTrouble(
  policy: Policy,
  steps: readonly Step[],
  last: PlannedCall,
  failures: readonly Failure[],
): Step[] {
  // Each call has an approval of its own: there is nothing to race for.
  if (steps.some(step => 'approve' in step)) return [...steps]
  const spending = steps.filter(step => 'calls' in step && step.calls[0] === last)
  const available = spending.reduce((sum, step) => sum + ('calls' in step ? step.calls.length : 0), 0)
  const givenBack: readonly Failure[] = policy.refundsToolErrors ? ['tool_error'] : []
  // One call is for the race.
  const spent = failures.filter(failure => !givenBack.includes(failure)).slice(0, Math.max(0, available - 1))
  let failing = spent.length
  const ordinary = steps.flatMap((step): Step[] => {
    if (!('calls' in step) || step.calls[0] !== last) return [step]
    const racing = step === spending.at(-1) ? 1 : 0
    const dropped = Math.min(failing, step.calls.length - racing)
    failing -= dropped
    const left = step.calls.length - racing - dropped
    if (left === 0) return []
    return racing === 0 ? [repeated(last, left)] : [{ ...repeated(last, left), say: UNTIL_LAST(last.tool) }]
  })
  const fail = (failure: Failure, count: number) => repeated({ ...last, failure }, count, FAILURES[failure])
  // They come behind calls that are counted: a gateway may give back too much.
  const refunded = [fail('rpc_error', REFUNDED), ...givenBack.map(failure => fail(failure, 1))]
  const spendingAll = [...spent.map(failure => fail(failure, 1)), ...refunded, ...ordinary]
  // Before time passes, it may be another limit that leaves one call.
  const passes = spendingAll.findLastIndex(step => 'advance' in step)
  return [
    ...spendingAll.map((step, at) =>
      'calls' in step && !refunded.includes(step) && at > passes ? { ...step, leavesOne: last } : step,
    ),
    { calls: times(last, RACERS), sending: 'at once', say: `${last.tool} × ${RACERS}, at once` },
  ]
}

/** The same call with other values for what it refers to. A gateway may count each room by itself. */
function otherValues(call: PlannedCall): Step[] {
  return usesUp(call.tool) || referencesIn(call.args).length === 0
    ? []
    : [one({ ...call, ownFixtures: true }, 'with other values')]
}

function titleOf({ name }: Rule, { max, windowMs }: Limit): string {
  return `${name}: ${max} per ${windowName(windowMs)}`
}
