import type { Dialect } from '../gateway/policy/model.js'

export type Expected = 'allow' | 'deny' | 'approve'
export type Mark = 'ok' | 'wrong' | 'unchecked'

/** One call of a rehearsal, held against what the policy says of it. */
export interface JudgedCall {
  /** By the decision engine, asked apart from the gateway. */
  readonly expected: Expected
  /** Which rule says so; null where none has to. */
  readonly rule: string | null
  /** What the caller saw, in words. */
  readonly saw: string
  /** The journal's entries of it at the upstream. */
  readonly reached: readonly number[]
  readonly mark: Mark
  /** What is wrong, or why it was not checked. */
  readonly why: string | null
}

/** One step of a rehearsal. */
export interface Row {
  readonly group: string
  /** What was done, in words. */
  readonly step: string
  readonly as: string | null
  /** As the scenario has them, references unresolved. */
  readonly args: unknown
  readonly expected: string
  readonly saw: string
  readonly upstream: string
  readonly mark: Mark
  readonly why: string | null
  readonly calls: readonly JudgedCall[]
}

/** What a policy lets be, and its author should know of. */
export interface LeftOpen {
  readonly code: string
  readonly message: string
}

/** A policy, carried out. */
export interface Rehearsal {
  readonly policy: { readonly file: string; readonly dialect: Dialect; readonly default: 'allow' | 'deny' }
  readonly via: string
  readonly servers: readonly string[]
  /** The file of the scenario; null for one made from the policy. */
  readonly scenario: string | null
  readonly rows: readonly Row[]
  readonly open: readonly LeftOpen[]
  readonly counts: Readonly<Record<Mark, number>>
  /** Whether nothing was wrong, and something was checked. */
  readonly ok: boolean
}
