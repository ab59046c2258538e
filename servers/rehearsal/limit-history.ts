import type { ScenarioLimit } from './scenario.js'

/** Tokens of a bucket are fractions. The sums of two programs agree to this. */
const TOLERANCE_TOKENS = 1e-9

/** A call that a limit may have counted. It was counted between `sent` and `answered`, in milliseconds. */
interface Counted {
  readonly sent: number
  readonly answered: number
  /** `failed`: it passed and the upstream failed. Gateways differ on whether that costs quota. */
  readonly outcome: 'passed' | 'failed' | 'denied'
}

/** Between the fewest and the most that a gateway may have left for a call, the call is `either`. */
export type Verdict = 'allow' | 'deny' | 'either'

/**
 * The calls of one tool by one caller, as a limit of the gateway may have counted them.
 *
 * A gateway keeps its own time, and its windows may begin on a UTC calendar, with a first call, or slide. So the history gives
 * bounds: a verdict is certain if every such gateway agrees on it.
 */
export class LimitHistory {
  readonly #calls: Counted[] = []
  readonly #toleranceMs: number

  /** @param toleranceMs how far the clock of the gateway may be from this one, in milliseconds */
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
    // Every kind of window has begun since then.
    const most = passed.filter(call => call.answered > sent - per - this.#toleranceMs).length
    if (most < max) return 'allow'
    const begun = beginOf(passed, per, sent)
    // A window that began with the first call may be over.
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
    // The most tokens that it held when the last call was sent, the fewest when that was answered.
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
 * When the calls began that no pause of a whole window interrupts. Undefined if such a pause was before this call.
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
