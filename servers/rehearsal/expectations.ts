import type { Decision, PolicyEngine } from '../gateway/policy/model.js'
import type { PlannedCall } from './plan/step.js'
import type { Expectation } from './record.js'
import { limitWords, type ScenarioLimit } from './scenario.js'

/**
 * Maximum difference between the rehearsal's clock and the clock of a gateway in another process, in
 * milliseconds.
 */
const TOLERANCE_MS = 10

/** The facts about a finished call that decide whether the call counts against a limit. */
export interface Outcome {
  /** Whether the call reached the upstream. */
  readonly arrived: boolean
  /** Whether the caller got a result that is not an error. */
  readonly succeeded: boolean
  /** Whether the gateway has to give back the quota of the call. */
  readonly refunded: boolean
}

/** The outcome that the policy expects of a call that is under way. */
export interface ExpectedCall {
  /** The expected outcome at the time when the call is sent. */
  readonly expectation: Expectation
  /**
   * Counts the finished call.
   *
   * @returns the final expected outcome, which can differ from `expectation` because the time of the call is
   *   now known
   */
  settle(outcome: Outcome): Expectation
}

/** A call with the values that decide its expected outcome. */
export interface SentCall {
  readonly call: PlannedCall
  /** The arguments as they are sent. */
  readonly args: unknown
  readonly approved: boolean
}

/** Returns the outcome that a policy expects of a call. */
export function byPolicy(engine: PolicyEngine, { call, args, approved }: SentCall): ExpectedCall {
  const decision = engine.decide({ tool: call.tool, args, grant: call.as, approved })
  const expectation = expectationOf(decision)
  return {
    expectation,
    settle({ refunded }) {
      if (decision.outcome === 'allow') decision.settle(refunded ? 'refunded' : 'kept')
      return expectation
    },
  }
}

function expectationOf(decision: Decision): Expectation {
  const { outcome } = decision
  return outcome === 'allow' ? { outcome } : { outcome, rule: decision.rule }
}

/** The outcome that a scenario expects of a call that is under way. */
export interface ScenarioOutcome {
  /** The expected outcome at the time when the call is sent. Undefined if the scenario expects no outcome. */
  readonly expectation: Expectation | undefined
  /**
   * Counts the finished call.
   *
   * @returns the final expected outcome, which can differ from `expectation` because the time of the call is
   *   now known
   */
  settle(outcome: Outcome): Expectation | undefined
}

/** The outcomes that a scenario expects of its calls, by `expect` or by `limit`. */
export class ScenarioExpectations {
  readonly #now: () => number
  readonly #toleranceMs: number
  readonly #histories = new Map<string, LimitHistory>()

  /**
   * @param now returns the time in milliseconds
   * @param ownTime whether the gateway uses its own clock, and not the rehearsal's
   */
  constructor(now: () => number, ownTime: boolean) {
    this.#now = now
    this.#toleranceMs = ownTime ? TOLERANCE_MS : 0
  }

  /**
   * Returns the outcome that the scenario expects of a call. Call this just before the call is sent, because
   * it reads the time.
   */
  of({ tool, as, limit, expect }: PlannedCall): ScenarioOutcome {
    const outcome = limit === undefined ? expect : 'allow'
    const expectation = outcome === undefined ? undefined : { outcome }
    const history = this.#historyOf(tool, as)
    const sent = this.#now()
    return {
      expectation,
      settle: ({ arrived, succeeded }) => {
        const answered = this.#now()
        const verdict = limit === undefined ? 'allow' : history.verdict(limit, sent, answered)
        history.add({ sent, answered, outcome: arrived ? (succeeded ? 'passed' : 'failed') : 'denied' })
        if (limit === undefined || verdict === 'allow') return expectation
        const denied = { outcome: 'deny', rule: `the limit of ${limitWords(limit)}` } as const
        if (verdict === 'deny') return denied
        return arrived ? { outcome: 'allow', unsure: true } : { ...denied, unsure: true }
      },
    }
  }

  #historyOf(tool: string, as: string): LimitHistory {
    const key = JSON.stringify([tool, as])
    const history = this.#histories.get(key) ?? new LimitHistory(this.#toleranceMs)
    this.#histories.set(key, history)
    return history
  }
}

/**
 * Tolerance in tokens. A bucket holds fractions of tokens, and the sums of two programs can differ slightly.
 */
const TOLERANCE_TOKENS = 1e-9

/**
 * A call that a limit possibly counted, at a time between `sent` and `answered`. Times are in milliseconds.
 */
interface Counted {
  readonly sent: number
  readonly answered: number
  /**
   * `failed` means that the gateway forwarded the call and the upstream failed. Such a call costs quota at
   * some gateways only.
   */
  readonly outcome: 'passed' | 'failed' | 'denied'
}

/** `allow` and `deny` are certain. `either` means that both outcomes are correct. */
export type Verdict = 'allow' | 'deny' | 'either'

/**
 * The calls of one tool by one caller, to judge further calls against a limit.
 *
 * The rehearsal does not know how the gateway counts. Windows can follow the UTC calendar, begin with a first
 * call, or slide. A verdict is certain only if it is the same for all these kinds of windows.
 */
export class LimitHistory {
  readonly #calls: Counted[] = []
  readonly #toleranceMs: number

  /**
   * @param toleranceMs maximum difference between the gateway's clock and the rehearsal's clock, in
   *   milliseconds
   */
  constructor(toleranceMs: number) {
    this.#toleranceMs = toleranceMs
  }

  add(call: Counted): void {
    this.#calls.push(call)
  }

  /**
   * Judges a call against a limit.
   *
   * @param sent when the call was sent, in milliseconds
   * @param answered when the call was answered, in milliseconds
   */
  verdict(limit: ScenarioLimit, sent: number, answered: number): Verdict {
    return limit.kind === 'bucket'
      ? this.#ofBucket(limit, sent, answered)
      : this.#ofWindow(limit, sent, answered)
  }

  #ofWindow({ calls: max, per }: ScenarioLimit, sent: number, answered: number): Verdict {
    const passed = this.#calls.filter(({ outcome }) => outcome !== 'denied')
    // A call that ended more than one window length ago does not count in any kind of window.
    const most = passed.filter(call => call.answered > sent - per - this.#toleranceMs).length
    if (most < max) return 'allow'
    const begun = beginOf(passed, per, sent)
    // A window that began with the first call has possibly ended.
    if (begun === undefined || answered + this.#toleranceMs >= begun + per) return 'either'
    const calendar = Math.floor((answered + this.#toleranceMs) / per) * per
    const fewest = passed.filter(
      call => call.outcome === 'passed' && call.sent >= Math.max(begun, calendar),
    ).length
    return fewest >= max ? 'deny' : 'either'
  }

  #ofBucket({ calls: max, per }: ScenarioLimit, sent: number, answered: number): Verdict {
    const tokensPerMs = max / per
    const refilled = (tokens: number, ms: number) => Math.min(max, tokens + Math.max(0, ms) * tokensPerMs)
    // Bounds for the tokens in the bucket after the previous call. `most` applies at the time when that call
    // was sent, `fewest` at the time when it was answered.
    let most = { tokens: max, at: sent }
    let fewest = { tokens: max, at: sent }
    for (const call of this.#calls) {
      const before = refilled(most.tokens, call.sent - most.at)
      const after = refilled(fewest.tokens, call.answered - fewest.at)
      if (call.outcome === 'denied') {
        most = { tokens: Math.min(before, 1), at: call.sent }
        continue
      }
      most = { tokens: call.outcome === 'passed' ? before - 1 : before, at: call.sent }
      fewest = { tokens: Math.max(0, after - 1), at: call.answered }
    }
    const one = 1 - TOLERANCE_TOKENS
    if (refilled(fewest.tokens, sent - fewest.at - this.#toleranceMs) >= one) return 'allow'
    return refilled(most.tokens, answered - most.at + this.#toleranceMs) < one ? 'deny' : 'either'
  }
}

/**
 * Returns the time at which the current series of calls began. A pause as long as a window ends a series.
 * Undefined if such a pause ended the last series before `sent`.
 *
 * @param per length of the window in milliseconds
 */
function beginOf(calls: readonly Counted[], per: number, sent: number): number | undefined {
  let begun: number | undefined
  let last = Number.NEGATIVE_INFINITY
  for (const call of calls) {
    if (begun === undefined || call.sent - last >= per) begun = call.sent
    last = call.answered
  }
  return sent - last >= per ? undefined : begun
}
