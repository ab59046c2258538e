import type { Decision, PolicyEngine } from '../gateway/policy/model.js'
import type { PlannedCall } from './plan/step.js'
import type { Expectation } from './record.js'
import { limitWords, type ScenarioLimit } from './scenario.js'

/** Maximum difference between this clock and the clock of a gateway in another process, in milliseconds. */
const TOLERANCE_MS = 10

/** The facts about a finished call that decide whether a limit counts it. */
export interface Outcome {
  /** Whether the call reached the upstream. */
  readonly arrived: boolean
  /** Whether the caller got a result that is not an error. */
  readonly succeeded: boolean
  /** Whether the quota of the call is given back. */
  readonly refunded: boolean
}

/** A call that is under way, with its expected outcome. */
export interface ExpectedCall {
  /** The expected outcome, before the time of the call is known. */
  readonly expectation: Expectation
  /**
   * Counts the finished call.
   *
   * @returns the final expected outcome, which may depend on the time of the call
   */
  settle(outcome: Outcome): Expectation
}

/** A call whose expected outcome is looked up. */
export interface SentCall {
  readonly call: PlannedCall
  /** The arguments as they are sent. */
  readonly args: unknown
  readonly approved: boolean
}

/** Asks a policy for the expected outcome of a call. */
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

/** A call that is under way, with the outcome that a scenario expects of it. */
export interface WrittenCall {
  /** The expected outcome, before the time of the call is known. Undefined if the scenario gives none. */
  readonly expectation: Expectation | undefined
  /**
   * Counts the finished call.
   *
   * @returns the final expected outcome, which may depend on the time of the call
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
   * @param ownTime whether the gateway uses a clock of its own
   */
  constructor(now: () => number, ownTime: boolean) {
    this.#now = now
    this.#toleranceMs = ownTime ? TOLERANCE_MS : 0
  }

  /** Returns the outcome that the scenario expects of a call. The call is about to be sent. */
  of({ tool, as, limit, expect }: PlannedCall): WrittenCall {
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
 * Tolerance in tokens. A bucket has fractions of tokens, and two programs may add these with small
 * differences.
 */
const TOLERANCE_TOKENS = 1e-9

/**
 * A call that a limit may have counted, at a time between `sent` and `answered`. Times are in milliseconds.
 */
interface Counted {
  readonly sent: number
  readonly answered: number
  /**
   * `failed` means that the call passed and the upstream failed. Gateways differ on whether such a call costs
   * quota.
   */
  readonly outcome: 'passed' | 'failed' | 'denied'
}

/** `allow` and `deny` are certain. `either` means that a correct gateway may allow or deny the call. */
export type Verdict = 'allow' | 'deny' | 'either'

/**
 * The calls of one tool by one caller, as a limit of the gateway may have counted them.
 *
 * A gateway may use a clock of its own. Its windows may follow the UTC calendar, begin with a first call, or
 * slide. A verdict is certain only if all these kinds of gateway agree.
 */
export class LimitHistory {
  readonly #calls: Counted[] = []
  readonly #toleranceMs: number

  /** @param toleranceMs maximum difference between the gateway's clock and this one, in milliseconds */
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
   * @param answered when it was answered, in milliseconds
   */
  verdict(limit: ScenarioLimit, sent: number, answered: number): Verdict {
    return limit.kind === 'bucket'
      ? this.#ofBucket(limit, sent, answered)
      : this.#ofWindow(limit, sent, answered)
  }

  #ofWindow({ calls: max, per }: ScenarioLimit, sent: number, answered: number): Verdict {
    const passed = this.#calls.filter(({ outcome }) => outcome !== 'denied')
    // Calls that are older than one window no longer count in any kind of window.
    const most = passed.filter(call => call.answered > sent - per - this.#toleranceMs).length
    if (most < max) return 'allow'
    const begun = beginOf(passed, per, sent)
    // A window that began with the first call may have ended.
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
    // Bounds for the tokens in the bucket: the most when the previous call was sent, the fewest when it was
    // answered.
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
 * Returns when the current series of calls began. A pause of a whole window ends a series. Undefined if the
 * pause before `sent` was that long.
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
