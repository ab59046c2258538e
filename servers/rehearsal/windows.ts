import type { Policy } from '../gateway/policy/model.js'
import type { PlannedCall } from './plan/step.js'
import type { Stage } from './stage/stage.js'
import type { Way } from './via/gateway.js'

const WINDOW_ENDED =
  'a window ended during a call, so it is not known which window counts the call: run the rehearsal again'

/**
 * A call waits for the next window if the current window ends within this time, in milliseconds. A call
 * usually takes less time.
 */
const CLOSE_MS = 250

/** Maximum length of a window with an unknown count whose end the rehearsal waits for, in milliseconds. */
const MAX_UNKNOWN_MS = 60_000

/** Additional wait after the end of a window, in milliseconds, because the gateway's clock can be behind. */
const BEHIND_MS = 25

export interface WindowsOptions {
  /** Undefined if there is no policy. The limits of a scenario do not depend on the start of a window. */
  readonly policy: Policy | undefined
  readonly way: Way
  readonly stage: Stage
  now(): number
}

/**
 * Tracks the windows of a gateway that does not use the stage's clock.
 *
 * If a window ends during a call, it is not known whether the old or the new window counts the call. Limits
 * with windows of that length cannot be judged until the new window ends.
 */
export class Windows {
  readonly #options: WindowsOptions
  /** For each window length in milliseconds, the index of the window whose count is unknown. */
  readonly #unknown = new Map<number, number>()

  constructor(options: WindowsOptions) {
    this.#options = options
  }

  /** Returns the time of the decision engine, in milliseconds. */
  now(): number {
    return this.#options.now()
  }

  /** Waits for the next window if the current window ends within {@link CLOSE_MS}. */
  async avoidWindowEnd(calls: readonly PlannedCall[]): Promise<void> {
    const { way, stage } = this.#options
    if (way.advances) return
    const left = Math.min(...this.#windowsFor(calls).map(windowMs => windowMs - (this.now() % windowMs)))
    if (left < CLOSE_MS) await stage.pause(left + BEHIND_MS)
  }

  /**
   * Waits until the counts of the windows for these calls are known again. Does not wait if one of the
   * windows is longer than {@link MAX_UNKNOWN_MS}.
   */
  async untilKnown(calls: readonly PlannedCall[]): Promise<void> {
    const longest = Math.max(0, ...this.#unknownOf(calls))
    if (longest > 0 && longest <= MAX_UNKNOWN_MS)
      await this.#options.stage.pause(longest - (this.now() % longest) + BEHIND_MS)
  }

  /** Returns the reason why calls cannot be judged now. Undefined if they can be judged. */
  uncertain(calls: readonly PlannedCall[]): string | undefined {
    return this.#unknownOf(calls).length > 0 ? WINDOW_ENDED : undefined
  }

  /**
   * Returns the reason why calls that were sent at `begun` cannot be judged. Undefined if no window has ended
   * since then.
   */
  windowEnded(begun: number, calls: readonly PlannedCall[]): string | undefined {
    if (this.#options.way.advances) return undefined
    const endedWindows = this.#windowsFor(calls).filter(
      windowMs => this.#index(windowMs, begun) !== this.#index(windowMs, this.now()),
    )
    for (const windowMs of endedWindows) this.#unknown.set(windowMs, this.#index(windowMs, this.now()))
    return endedWindows.length > 0 ? WINDOW_ENDED : undefined
  }

  #index(windowMs: number, at: number): number {
    return Math.floor(at / windowMs)
  }

  /** Returns the lengths in milliseconds of the windows for these calls whose count is unknown. */
  #unknownOf(calls: readonly PlannedCall[]): number[] {
    return this.#windowsFor(calls).filter(
      windowMs => this.#unknown.get(windowMs) === this.#index(windowMs, this.now()),
    )
  }

  /** Returns the lengths in milliseconds of the windows of all limits that apply to these calls. */
  #windowsFor(calls: readonly PlannedCall[]): number[] {
    const { policy } = this.#options
    if (policy === undefined) return []
    const { tools, everyTool } = policy
    const rules = calls.flatMap(({ tool }) => [...(tools.get(tool) ?? []), ...everyTool])
    return rules.flatMap(({ demand }) => (demand.kind === 'limit' ? [demand.limit.windowMs] : []))
  }
}
