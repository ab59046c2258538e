import type { Policy } from '../gateway/policy/model.js'
import type { PlannedCall } from './plan/step.js'
import type { Stage } from './stage/stage.js'
import type { Way } from './via/gateway.js'

const TURNED = 'a window turned during a call, so the window that counts the call is unknown: run it again'

/**
 * A call waits for the next window if the current one ends within this time, in milliseconds. A call takes
 * less time.
 */
const CLOSE_MS = 250

/** The length in milliseconds of the longest window whose end is waited for when its count is unknown. */
const MAX_UNKNOWN_MS = 60_000

/** Additional wait after the end of a window, in milliseconds, because the gateway's clock may be late. */
const BEHIND_MS = 25

export interface WindowsOptions {
  /**
   * Undefined if only a scenario gives the expected outcomes. Its limits do not depend on the start of a
   * window.
   */
  readonly policy: Policy | undefined
  readonly way: Way
  readonly stage: Stage
  now(): number
}

/**
 * Tracks the windows of a gateway that uses a clock of its own.
 *
 * If a window ends during a call, the old window or the next one counts the call. Limits with that window
 * cannot be judged until the next window ends.
 */
export class Windows {
  readonly #options: WindowsOptions
  /** By the length of a window in milliseconds, the number of the window whose count is unknown. */
  readonly #unknown = new Map<number, number>()

  constructor(options: WindowsOptions) {
    this.#options = options
  }

  /** Returns the time of the decision engine, in milliseconds. */
  now(): number {
    return this.#options.now()
  }

  /** Waits for the next window if the current one is about to end. */
  async stepAside(calls: readonly PlannedCall[]): Promise<void> {
    const { way, stage } = this.#options
    if (way.advances) return
    const left = Math.min(...this.#of(calls).map(windowMs => windowMs - (this.now() % windowMs)))
    if (left < CLOSE_MS) await stage.pause(left + BEHIND_MS)
  }

  /**
   * Waits until the counts of the windows for these calls are known again, if no window is longer than a
   * minute.
   */
  async untilKnown(calls: readonly PlannedCall[]): Promise<void> {
    const longest = Math.max(0, ...this.#unknownOf(calls))
    if (longest > 0 && longest <= MAX_UNKNOWN_MS)
      await this.#options.stage.pause(longest - (this.now() % longest) + BEHIND_MS)
  }

  /** Returns why calls cannot be judged now. Undefined if they can. */
  uncertain(calls: readonly PlannedCall[]): string | undefined {
    return this.#unknownOf(calls).length > 0 ? TURNED : undefined
  }

  /** Returns why calls that were sent at `begun` cannot be judged. Undefined if no window has ended since. */
  turned(begun: number, calls: readonly PlannedCall[]): string | undefined {
    if (this.#options.way.advances) return undefined
    const turned = this.#of(calls).filter(
      windowMs => this.#index(windowMs, begun) !== this.#index(windowMs, this.now()),
    )
    for (const windowMs of turned) this.#unknown.set(windowMs, this.#index(windowMs, this.now()))
    return turned.length > 0 ? TURNED : undefined
  }

  #index(windowMs: number, at: number): number {
    return Math.floor(at / windowMs)
  }

  /**
   * Returns the windows with an unknown count, of the limits that apply to calls. Lengths are in
   * milliseconds.
   */
  #unknownOf(calls: readonly PlannedCall[]): number[] {
    return this.#of(calls).filter(
      windowMs => this.#unknown.get(windowMs) === this.#index(windowMs, this.now()),
    )
  }

  /** Returns the windows of the limits that apply to calls. Lengths are in milliseconds. */
  #of(calls: readonly PlannedCall[]): number[] {
    const { policy } = this.#options
    if (policy === undefined) return []
    const { tools, everyTool } = policy
    const rules = calls.flatMap(({ tool }) => [...(tools.get(tool) ?? []), ...everyTool])
    return rules.flatMap(({ demand }) => (demand.kind === 'limit' ? [demand.limit.windowMs] : []))
  }
}
