import type { Policy } from '../gateway/policy/model.js'
import type { PlannedCall } from './plan/step.js'
import type { Stage } from './stage/stage.js'
import type { Way } from './via/gateway.js'

const TURNED = 'a window turned during a call, so the window that counts the call is unknown: run it again'

/** A call waits for the turn of a window that is this close, in milliseconds. A call takes less time. */
const CLOSE_MS = 250

/** The longest window that is waited for until its count is known again, in milliseconds. */
const MAX_UNKNOWN_MS = 60_000

/** Margin after the turn of a window, in milliseconds, for a gateway with the clock of another process. */
const BEHIND_MS = 25

export interface WindowsOptions {
  /** Undefined if a scenario alone says what is to happen: its limits do not depend on where a window begins. */
  readonly policy: Policy | undefined
  readonly way: Way
  readonly stage: Stage
  now(): number
}

/**
 * The windows of a gateway that keeps its own time.
 *
 * A call during which a window turns counts in the old one or in the new one. Until that window turns again, the
 * limits over it cannot be judged.
 */
export class Windows {
  readonly #options: WindowsOptions
  /** The window in which a count is not known, by its length in milliseconds. */
  readonly #unknown = new Map<number, number>()

  constructor(options: WindowsOptions) {
    this.#options = options
  }

  /** The time of the engine. */
  now(): number {
    return this.#options.now()
  }

  /** Waits for a window that is about to turn. */
  async stepAside(calls: readonly PlannedCall[]): Promise<void> {
    const { way, stage } = this.#options
    if (way.advances) return
    const left = Math.min(...this.#of(calls).map(windowMs => windowMs - (this.now() % windowMs)))
    if (left < CLOSE_MS) await stage.pause(left + BEHIND_MS)
  }

  /** Waits until the counts of calls are known again, if that takes a minute at most. */
  async untilKnown(calls: readonly PlannedCall[]): Promise<void> {
    const longest = Math.max(0, ...this.#unknownOf(calls))
    if (longest > 0 && longest <= MAX_UNKNOWN_MS)
      await this.#options.stage.pause(longest - (this.now() % longest) + BEHIND_MS)
  }

  /** Why the count of a call is not known now; undefined if it is. */
  uncertain(calls: readonly PlannedCall[]): string | undefined {
    return this.#unknownOf(calls).length > 0 ? TURNED : undefined
  }

  /** Why calls that began at an instant cannot be judged; undefined if they can. */
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

  /** The windows whose count is not known now, of the limits that calls meet. */
  #unknownOf(calls: readonly PlannedCall[]): number[] {
    return this.#of(calls).filter(
      windowMs => this.#unknown.get(windowMs) === this.#index(windowMs, this.now()),
    )
  }

  /** The windows of the limits that calls meet. */
  #of(calls: readonly PlannedCall[]): number[] {
    const { policy } = this.#options
    if (policy === undefined) return []
    const { tools, everyTool } = policy
    const rules = calls.flatMap(({ tool }) => [...(tools.get(tool) ?? []), ...everyTool])
    return rules.flatMap(({ demand }) => (demand.kind === 'limit' ? [demand.limit.windowMs] : []))
  }
}
