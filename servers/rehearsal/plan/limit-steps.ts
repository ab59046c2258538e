import { type Limit, type Policy, type Rule, windowName } from '../../gateway/policy/model.js'
import { referencesIn, usesUp } from '../stage/fixtures.js'
import { exhaust, type Spending } from './exhaust-limit.js'
import { type Failure, one, type Planned, type PlannedCall, repeated, type Step, times } from './step.js'

/**
 * Number of calls that are sent at the same time when a limit has one call left. The gateway has to allow
 * exactly one of these calls.
 */
const RACERS = 4

/**
 * Number of calls that the upstream fails with a JSON-RPC error. The gateway has to give back the quota of
 * these calls.
 */
const REFUNDED = 2

/**
 * Failures after which the gateway has to keep the quota spent. In a dialect that gives quota back for tool
 * errors, `tool_error` is left out.
 */
const SPENT: readonly Failure[] = ['tool_error', 'http_error']

/** The failures to use behind a bridge, which may turn an HTTP error into a JSON-RPC error. */
const SPENT_BEHIND_A_BRIDGE: readonly Failure[] = ['tool_error']

const UNTIL_LAST = (tool: string) => `${tool}, until one call is left`

const FAILURES: Record<Failure, string> = {
  rpc_error: 'the upstream answers with a JSON-RPC error',
  tool_error: 'the upstream answers with a tool error',
  http_error: 'the upstream answers with HTTP 503',
}

export interface LimitPlanning {
  readonly policy: Policy
  /** Calls that use up the limits when they are repeated. */
  readonly spendings: readonly Spending[]
  /** A call of a tool that these limits do not count. */
  readonly beside?: PlannedCall | undefined
  /** Whether a caller can have several sessions. */
  readonly sessions: boolean
  /** Whether the rehearsal can approve calls. */
  readonly approves: boolean
  /** Whether the rehearsal can move the gateway's clock. */
  readonly advances: boolean
  /**
   * Whether the gateway can be behind a bridge that turns the upstream's HTTP errors into JSON-RPC errors.
   * See `Way.bridged`.
   */
  readonly bridged: boolean
  /**
   * Returns the instant at which the next group begins, in milliseconds. If steps are given, they are the
   * steps of that group, and later groups begin after them.
   */
  startOf(previous: readonly Step[] | undefined): number
}

/**
 * Plans a group of steps for each limit in `rules`.
 *
 * First, calls use up the limit. The upstream fails some of these calls, and several calls race for the last
 * quota. Further calls test the used-up limit: in a new session, without a session, by another caller,
 * shortly before the window ends, and after its end. Each call that needs an approval is approved, because
 * only approved calls count.
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
    // The calls begin in the middle of a calendar window. A window that slides, or begins with the first
    // call, then ends later than the calendar window.
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
      ...withFailuresAndRace(policy, exhausted.steps, call, planning.bridged ? SPENT_BEHIND_A_BRIDGE : SPENT),
      one(call, 'one more'),
      ...approved,
      ...otherValues(call),
      ...(planning.beside === undefined ? [] : [one(planning.beside, `while ${call.tool} is used up`)]),
      ...(planning.sessions ? [one({ ...call, session: 'new' }, 'in a new session')] : []),
      ...(planning.sessions ? [one({ ...call, session: 'none' }, 'without a session')] : []),
      one({ ...call, notification: true }, 'without an id'),
      one({ ...call, as: 'other' }, 'by another caller'),
      ...approved,
      { windowMs, shortlyBefore: true },
      one(call, `shortly before the ${windowName(windowMs)} is over`),
      ...approved,
      { windowMs },
      one(call, `once the ${windowName(windowMs)} is over`),
      ...approved,
    ]
    startOf(steps)
    planned.push({ title, fresh: true, windowMs, steps })
  }
  return planned
}

/**
 * Changes steps that use up a limit: some calls fail at the upstream, and several calls race for the last
 * quota.
 */
function withFailuresAndRace(
  policy: Policy,
  steps: readonly Step[],
  last: PlannedCall,
  failures: readonly Failure[],
): Step[] {
  // If each call needs its own approval, calls cannot race.
  if (steps.some(step => 'approve' in step)) return [...steps]
  const spending = steps.filter(step => 'calls' in step && step.calls[0] === last)
  const available = spending.reduce((sum, step) => sum + ('calls' in step ? step.calls.length : 0), 0)
  const givenBack: readonly Failure[] = policy.refundsToolErrors ? ['tool_error'] : []
  // The quota of one call is left for the race.
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
  // Calls whose quota is given back come after calls that count, to detect a gateway that gives back too much
  // quota.
  const refunded = [fail('rpc_error', REFUNDED), ...givenBack.map(failure => fail(failure, 1))]
  const spendingAll = [...spent.map(failure => fail(failure, 1)), ...refunded, ...ordinary]
  // Only steps after the last wait get `leavesOne`. An earlier step could end at a limit with a shorter
  // window.
  const passes = spendingAll.findLastIndex(step => 'advance' in step)
  return [
    ...spendingAll.map((step, at) =>
      'calls' in step && !refunded.includes(step) && at > passes ? { ...step, leavesOne: last } : step,
    ),
    { calls: times(last, RACERS), sending: 'at once', say: `${last.tool} × ${RACERS}, at once` },
  ]
}

/**
 * Returns a step that repeats a call with newly prepared values, because a gateway may count each room
 * separately.
 */
function otherValues(call: PlannedCall): Step[] {
  return usesUp(call.tool) || referencesIn(call.args).length === 0
    ? []
    : [one({ ...call, ownFixtures: true }, 'with other values')]
}

function titleOf({ name }: Rule, { max, windowMs }: Limit): string {
  return `${name}: ${max} per ${windowName(windowMs)}`
}
