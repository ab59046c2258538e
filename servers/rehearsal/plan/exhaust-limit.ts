import { Clock } from '../../../shared/clock/clock.js'
import { createEngine, type Policy } from '../../gateway/policy/index.js'
import type { Limit, Rule } from '../../gateway/policy/model.js'
import { one, type PlannedCall, repeated, type Step } from './step.js'

/** Maximum number of calls to use up one limit. More calls would take too long. */
const MAX_CALLS = 500

/** A call that uses up a limit when it is repeated. */
export interface Spending {
  readonly call: PlannedCall
  /** The arguments of the call, with an example value in place of each reference. */
  readonly sent: unknown
}

export type Exhausted = { steps: Step[]; spending: Spending } | { why: string }

/**
 * Finds the calls that use up a limit. Asks a decision engine for the outcome of each call, and sends no
 * call.
 *
 * If a limit with a shorter window denies a call first, the steps contain a wait for the next of these
 * shorter windows.
 *
 * @param start when the first call will be made, in milliseconds
 * @param approves whether the rehearsal can approve calls
 * @returns the steps and the call to continue with, or the reason why the limit cannot be reached
 */
export async function exhaust(
  policy: Policy,
  { rule, limit }: { rule: Rule; limit: Limit },
  spendings: readonly Spending[],
  { start, approves }: { start: number; approves: boolean },
): Promise<Exhausted> {
  const clock = new Clock({ mode: 'manual', start })
  const engine = createEngine(policy, clock)
  const steps: Step[] = []
  let reached: Spending | undefined
  for (let calls = 0; reached === undefined; ) {
    if (calls >= MAX_CALLS)
      return { why: `its maximum is ${limit.max}, and at most ${MAX_CALLS} calls are tried` }
    const tried = spendings.map(spending => ({
      spending,
      decision: engine.decide({ tool: spending.call.tool, args: spending.sent, grant: 'agent' }),
    }))
    const allowed = tried.find(({ decision }) => decision.outcome === 'allow')
    for (const { decision } of tried) {
      if (decision.outcome === 'allow' && decision !== allowed?.decision) decision.settle('refunded')
    }
    if (allowed !== undefined) {
      calls++
      append(steps, allowed.spending)
      continue
    }
    const asking = tried.find(({ decision }) => decision.outcome === 'approve')
    if (approves && asking !== undefined) {
      const { call, sent } = asking.spending
      const approved = engine.decide({ tool: call.tool, args: sent, grant: 'agent', approved: true })
      if (approved.outcome === 'allow') {
        calls++
        steps.push(one(call), { approve: true })
        continue
      }
    }
    const denying = tried.find(({ decision }) => decision.outcome === 'deny' && decision.rule === rule.name)
    if (denying !== undefined) {
      reached = denying.spending
      break
    }
    const waitMs = shorterWindow(policy, limit, clock.now())
    if (waitMs === undefined || clock.now() + waitMs >= windowEnd(limit, start)) {
      const rules = [...new Set(tried.map(({ decision }) => ('rule' in decision ? decision.rule : '')))]
      return { why: `it is never reached, because calls are denied before by ${rules.join(', ')}` }
    }
    await clock.advance(waitMs)
    steps.push({ advance: waitMs })
  }
  clock.close()
  return reached === undefined ? { why: 'it is never reached' } : { steps, spending: reached }
}

function append(steps: Step[], { call }: Spending): void {
  const last = steps.at(-1)
  const more = last !== undefined && 'calls' in last && last.calls[0] === call
  if (more) steps.pop()
  steps.push(repeated(call, more ? last.calls.length + 1 : 1))
}

/**
 * Returns the time until a window begins that is shorter than the window of `limit`, in milliseconds.
 * Undefined if the policy has no shorter window.
 */
function shorterWindow(policy: Policy, { windowMs }: Limit, now: number): number | undefined {
  const waits = limitsOf(policy)
    .filter(other => other.windowMs < windowMs)
    .map(other => other.windowMs - (now % other.windowMs))
  return waits.length === 0 ? undefined : Math.min(...waits)
}

function windowEnd({ windowMs }: Limit, now: number): number {
  return now - (now % windowMs) + windowMs
}

/** Returns all limits of a policy. */
export function limitsOf({ tools, everyTool }: Policy): Limit[] {
  return [...[...tools.values()].flat(), ...everyTool].flatMap(({ demand }) =>
    demand.kind === 'limit' ? [demand.limit] : [],
  )
}
