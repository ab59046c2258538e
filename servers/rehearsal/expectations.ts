import type { Decision, PolicyEngine } from '../gateway/policy/model.js'
import { LimitHistory } from './limit-history.js'
import type { PlannedCall } from './plan/step.js'
import type { Expectation } from './record.js'
import { limitWords } from './scenario.js'

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
