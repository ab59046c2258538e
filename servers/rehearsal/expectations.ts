import type { Decision, PolicyEngine } from '../gateway/policy/model.js'
import { LimitHistory } from './limit-history.js'
import type { PlannedCall } from './plan/step.js'
import type { Expectation } from './record.js'
import { limitWords } from './scenario.js'

/** How far the clock of a gateway in another process may be from this one, in milliseconds. */
const TOLERANCE_MS = 10

/** The result of a call, as far as it says what a limit has counted. */
export interface Outcome {
  /** Whether the call reached the upstream. */
  readonly arrived: boolean
  /** Whether the upstream answered it with a result. */
  readonly succeeded: boolean
  /** Whether a policy gives the quota of the call back. */
  readonly refunded: boolean
}

/** A call that is under way, with the outcome that it is to have. */
export interface ExpectedCall {
  /** The outcome, as far as it is known when the call is sent. */
  readonly expectation: Expectation
  /** Counts the call. @returns the outcome, now that the time of the call is known */
  settle(outcome: Outcome): Expectation
}

/** A call as its expectation is looked up. */
export interface SentCall {
  readonly call: PlannedCall
  /** As they are sent. */
  readonly args: unknown
  readonly approved: boolean
}

/** The decision of a policy. */
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

/** A call that is under way, with the outcome that a scenario expects. Undefined if the scenario does not say. */
export interface WrittenCall {
  readonly expectation: Expectation | undefined
  /** Counts the call. @returns the outcome, now that the time of the call is known */
  settle(outcome: Outcome): Expectation | undefined
}

/** The expectations that a scenario writes beside its calls. */
export class ScenarioExpectations {
  readonly #now: () => number
  readonly #toleranceMs: number
  readonly #histories = new Map<string, LimitHistory>()

  /**
   * @param now the time in milliseconds
   * @param ownTime whether the gateway keeps its own time
   */
  constructor(now: () => number, ownTime: boolean) {
    this.#now = now
    this.#toleranceMs = ownTime ? TOLERANCE_MS : 0
  }

  /** Looks up the outcome that the scenario expects of a call that is about to be sent. */
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
