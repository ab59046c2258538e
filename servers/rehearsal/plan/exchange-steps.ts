import { Clock } from '../../../shared/clock/clock.js'
import type { ServerName } from '../../../shared/util/known-tools.js'
import { defined } from '../../../shared/util/objects.js'
import { createEngine, type Policy } from '../../gateway/policy/index.js'
import { knownTool } from '../../gateway/policy/known-tools.js'
import { isOpen, passingArguments, rulesOf, type Sample } from './arguments.js'
import { type Failure, type Group, type PlannedCall, repeated, type Step } from './step.js'

/** Tools whose calls report progress while they wait. */
const REPORTING = ['wait_for_messages', 'claim_task', 'next_task']

/** Number of calls of each tool that are sent at the same time. */
const CALLS_AT_ONCE = 3
/** Maximum number of tools that are called at the same time. */
const TOOLS_AT_ONCE = 4
/** Maximum number of sessions in which calls are sent at the same time. */
const SESSIONS_AT_ONCE = 3

/** A limit of this number of calls or more leaves enough quota for the steps that this file plans. */
const PLENTY = 10

/** The value that {@link tightest} returns for a tool without a limit. */
export const NO_LIMIT = Number.MAX_SAFE_INTEGER

export interface ExchangePlanning {
  policy: Policy
  server: ServerName
  /** The tools of this server. */
  tools: readonly string[]
  sample: Sample
  /** Whether a caller can have several sessions. */
  sessions: boolean
  /** Whether the rehearsal can move the gateway's clock. */
  advances: boolean
  /**
   * Whether the gateway can be behind a bridge that turns the upstream's HTTP errors into JSON-RPC errors.
   * See `Way.bridged`.
   */
  bridged: boolean
}

/**
 * Plans tests of a gateway's relaying: of answers to concurrent calls, of failures of the upstream, and of
 * notifications.
 */
export function exchangeGroups({
  policy,
  server,
  tools,
  sample,
  sessions,
  advances,
  bridged,
}: ExchangePlanning): Group[] {
  const callOf = (tool: string): PlannedCall => ({
    tool,
    args: passingArguments(policy, tool, sample),
    as: 'agent',
  })
  const open = tools
    .filter(tool => tool !== 'create_postgres' && knownTool(tool) && isOpen(policy, tool))
    .sort((one, other) => tightest(policy, other) - tightest(policy, one))
  const ample = open.filter(tool => advances || tightest(policy, tool) >= PLENTY)
  const together = (of: readonly string[], failure?: Failure) => {
    const calls = of
      .slice(0, TOOLS_AT_ONCE)
      .flatMap(tool => Array.from({ length: CALLS_AT_ONCE }, () => callOf(tool)))
    return allowedTogether(policy, calls, sample).map(call => ({
      ...call,
      ownFixtures: true,
      ...defined({ failure }),
    }))
  }
  // A call that has to be denied is sent with the concurrent calls, because a busy gateway may fail to deny
  // it.
  const shut = tools.find(tool => !isOpen(policy, tool))
  const allowed = together(ample)
  const answered = allowed.length > 0 && shut !== undefined ? [...allowed, callOf(shut)] : allowed
  // Calls that end with a JSON-RPC error cost no quota. Each error has a different text, which shows whether
  // the gateway mixes up answers.
  const failing = together(open, 'rpc_error')
  // All sessions use the same request ids, because a gateway may then confuse the sessions.
  const apart = sessions ? failing.map(call => ({ ...call, session: 'new' as const })) : []
  const atOnce = (calls: readonly PlannedCall[], say: string): Step[] =>
    calls.length > 1 ? [{ calls, sending: 'at once', say: `${calls.length} calls at once${say}` }] : []
  const parallel = [
    ...atOnce(answered, ''),
    ...atOnce(failing, ', the upstream answers each with another JSON-RPC error'),
    ...atOnce(apart.slice(0, SESSIONS_AT_ONCE), ', each in a session of its own and under the same id'),
  ]
  const [loosest] = open
  const reporting = REPORTING.find(tool => open.includes(tool))
  const relay: Step = {
    relay: server,
    ...defined({
      // A bridge may answer a cancelled call with an error. The error gives quota back, which the decision
      // engine does not expect.
      cancelled:
        loosest === undefined || (bridged && tightest(policy, loosest) < NO_LIMIT)
          ? undefined
          : callOf(loosest),
      reporting: reporting === undefined ? undefined : callOf(reporting),
    }),
  }
  return [
    ...(parallel.length > 0 ? [{ title: `${server}: parallel calls`, fresh: true, steps: parallel }] : []),
    ...ample
      .slice(0, 1)
      .map(tool => failureGroup(server, callOf(tool), !bridged || tightest(policy, tool) === NO_LIMIT)),
    { title: `${server}: notifications`, fresh: true, steps: [relay] },
  ]
}

/**
 * Plans calls that the upstream fails, and then calls that the upstream answers again.
 *
 * @param httpErrors whether some calls fail with HTTP errors
 */
function failureGroup(server: ServerName, call: PlannedCall, httpErrors: boolean): Group {
  const fail = (failure: Failure, say: string) => repeated({ ...call, failure }, 2, say)
  return {
    title: `${server}: the upstream fails`,
    fresh: true,
    steps: [
      fail('rpc_error', 'the upstream answers with a JSON-RPC error'),
      fail('tool_error', 'the upstream answers with a tool error'),
      ...(httpErrors ? [fail('http_error', 'the upstream answers with HTTP 503')] : []),
      repeated(call, 2, 'the upstream answers again'),
    ],
  }
}

/** Returns the lowest maximum of the limits that apply to a tool, or {@link NO_LIMIT}. */
export function tightest(policy: Policy, tool: string): number {
  const limits = rulesOf(policy, tool).flatMap(({ demand }) =>
    demand.kind === 'limit' ? [demand.limit.max] : [],
  )
  return Math.min(NO_LIMIT, ...limits)
}

/** Returns the calls that the policy allows if all of these calls are made in one window. */
function allowedTogether(policy: Policy, calls: readonly PlannedCall[], sample: Sample): PlannedCall[] {
  const clock = new Clock({ mode: 'manual' })
  const engine = createEngine(policy, clock)
  const allowed = calls.filter(
    ({ tool, args, as }) => engine.decide({ tool, args: sample(args), grant: as }).outcome === 'allow',
  )
  clock.close()
  return allowed
}
