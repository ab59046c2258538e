export const WINDOW_MS = { minute: 60_000, hour: 3_600_000, day: 86_400_000 } as const

export interface ModelLimit {
  tool: string
  counter: string
  window: keyof typeof WINDOW_MS
  max: number
}

interface ModelCall {
  tool: string
  grant: string
  at: number
  answer: 'kept' | 'refunded' | undefined
}

/** A minimal model of a quota. It counts past calls, and has no counters, windows or refunds. */
export class QuotaModel {
  readonly calls: ModelCall[] = []

  constructor(
    /** A tool's own before those of `*`. */
    readonly limits: readonly ModelLimit[],
    public now: number,
  ) {}

  /** The limit that denies the call; undefined if it goes through. */
  decide(tool: string, grant: string): string | undefined {
    for (const limit of this.limits) {
      if (limit.tool !== tool && limit.tool !== '*') continue
      const spent = this.calls.filter(call => this.#counts(limit, call, grant)).length
      if (spent >= limit.max) return limit.counter
    }
    this.calls.push({ tool, grant, at: this.now, answer: undefined })
    return undefined
  }

  #counts(limit: ModelLimit, call: ModelCall, grant: string): boolean {
    const ms = WINDOW_MS[limit.window]
    return (
      call.answer !== 'refunded' &&
      call.grant === grant &&
      (limit.tool === '*' || limit.tool === call.tool) &&
      Math.floor(call.at / ms) === Math.floor(this.now / ms)
    )
  }
}
