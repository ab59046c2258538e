import type { UpstreamEnd } from '../../../shared/schemas/audit.js'
import type { DialectVersion } from './dialect-version.js'

/** The lengths of the named windows, in milliseconds. */
export const WINDOWS = { minute: 60_000, hour: 3_600_000, day: 86_400_000 } as const

// The type must be stated, because `Object.keys` returns strings.
export const WINDOW_NAMES = Object.keys(WINDOWS) as WindowName[]

/** The language of a policy. `policylayer-page` is the form that PolicyLayer prints on its tool pages. */
export type Dialect = 'intercept' | 'policylayer' | 'policylayer-page'

/** The operators that both Intercept and PolicyLayer publish. */
export const OPERATORS = [
  'eq',
  'neq',
  'in',
  'not_in',
  'lt',
  'lte',
  'gt',
  'gte',
  'regex',
  'contains',
  'exists',
] as const

export type Operator = (typeof OPERATORS)[number]

/** A value that JSON and YAML can represent. */
export type Plain = string | number | boolean | null | readonly Plain[] | { readonly [key: string]: Plain }

/** The value that a condition tests. It is an argument at the path `keys`, or the count of a counter. */
export type Subject =
  | { readonly from: 'args'; readonly keys: readonly string[] }
  | { readonly from: 'state'; readonly counter: string }

export interface Condition {
  readonly subject: Subject
  /** The path as it is written in the policy. */
  readonly path: string
  readonly op: Operator
  readonly value: Plain
}

/** The amount that a call adds to a counter. It is a fixed number, or the argument of the call at a path. */
export type Amount = number | { readonly keys: readonly string[]; readonly path: string }

export interface Limit {
  /** The name of the counter, which is unique in the policy. */
  readonly counter: string
  /**
   * Length of a window in milliseconds. The first window begins at the epoch, so windows of a minute, an hour
   * or a day begin at the same times as minutes, hours and days of UTC.
   */
  readonly windowMs: number
  /** The maximum count in one window. */
  readonly max: number
  readonly amount: Amount
  /** True if each grant has a separate count. */
  readonly perGrant: boolean
}

/**
 * The time limits of an approval in the form of Intercept since intercept@2026-04. A call that needs such an
 * approval immediately gets error -32003.
 */
export interface InterceptApproval {
  /** Milliseconds from the request until the approval expires. Then it can no longer be decided or used. */
  readonly timeoutMs: number
  /** Milliseconds from the request in which an identical call gets this approval, not a new one. */
  readonly dedupeMs: number
}

/** The condition, limit or approval that a rule demands for a call. */
export type Demand =
  | { readonly kind: 'deny' }
  /** The call needs an approval if all conditions hold. Without conditions, every call needs one. */
  | {
      readonly kind: 'approve'
      readonly conditions: readonly Condition[]
      /** The time limits, if the approval is in the form of Intercept. */
      readonly intercept?: InterceptApproval
    }
  /** The call is denied unless all conditions hold. */
  | { readonly kind: 'require'; readonly conditions: readonly Condition[] }
  /** The call is denied if all conditions hold. Without conditions, every call is denied. */
  | { readonly kind: 'forbid'; readonly conditions: readonly Condition[] }
  | { readonly kind: 'limit'; readonly limit: Limit }
  /**
   * Limits the payments for calls, in the currency of the upstream. `understudy check` explains such a rule.
   * The built-in gateway refuses to start with it.
   */
  | { readonly kind: 'spend'; readonly perCall: number | undefined; readonly daily: number | undefined }

export interface Rule {
  /** The name that denials show. */
  readonly name: string
  /** The text that the caller gets with a denial. */
  readonly message: string
  /** The line of the rule in the file, from 1. */
  readonly line: number
  readonly demand: Demand
}

/** The model of a policy, which is the same for all dialects. Defaults are filled in. */
export interface Policy {
  readonly dialect: Dialect
  /** Whether a result with `isError` gives quota back. A JSON-RPC error always gives quota back. */
  readonly refundsToolErrors: boolean
  readonly description: string | undefined
  /** The decision about tools that are not in `tools`. */
  readonly default: 'allow' | 'deny'
  /** False if the text of the policy does not contain the key `default`. */
  readonly defaultWritten: boolean
  /** The names of the hidden tools. `*` hides all tools. */
  readonly hide: readonly string[]
  /** The rules of each tool, in the order of the file. */
  readonly tools: ReadonlyMap<string, readonly Rule[]>
  /** The rules that apply to every tool. They are checked after the rules of the tool. */
  readonly everyTool: readonly Rule[]
}

/**
 * A message for the author of a policy. A `warning` is about a part of the policy that looks wrong. A `note`
 * adds information.
 */
export interface Warning {
  /** A stable code in `snake_case`. */
  readonly code: string
  readonly level: 'warning' | 'note'
  readonly message: string
  readonly line?: number
  readonly tool?: string
}

/** The result of reading the text of a policy. */
export interface PolicyReading {
  readonly dialect: Dialect
  /** The version of Intercept's language by which the text was read. Null for a policy of PolicyLayer. */
  readonly version: DialectVersion | null
  /** The earliest version that has all features of the text. Null for a policy of PolicyLayer. */
  readonly needs: DialectVersion | null
  readonly policy: Policy
  /** Warnings about the text. `reviewPolicy` adds warnings about the effects of the policy. */
  readonly warnings: readonly Warning[]
}

/** The parts of a tool call that an engine judges. */
export interface PolicyCall {
  readonly tool: string
  /** The value of `arguments`, of any type. */
  readonly args: unknown
  /** The label of the caller's grant, or its session. */
  readonly grant: string
  /**
   * True if the call has been approved. Rules that require an approval then have no effect. All other rules
   * still apply.
   */
  readonly approved?: boolean
}

/** The result for the quota that an allowed call has reserved: it stays spent, or is given back. */
export type Settlement = 'kept' | 'refunded'

/**
 * Decides whether an allowed call gets its quota back when it ends.
 *
 * A JSON-RPC error gives quota back. A result with `isError` gives quota back only if the policy has
 * `refundsToolErrors`. In all other cases, the quota stays spent.
 */
export function settlementOf(
  ended: UpstreamEnd,
  { refundsToolErrors = false }: Pick<PolicyEngine, 'refundsToolErrors'>,
): Settlement {
  return ended === 'rpc_error' || (ended === 'tool_error' && refundsToolErrors) ? 'refunded' : 'kept'
}

export type Decision =
  /** The caller of `decide` must call `settle` once, when the call has ended. See {@link settlementOf}. */
  | { readonly outcome: 'allow'; settle(answer: Settlement): void }
  | { readonly outcome: 'deny'; readonly rule: string; readonly message: string }
  /** No quota is reserved. After the approval, call `decide` again with `approved`. */
  | {
      readonly outcome: 'approve'
      readonly rule: string
      readonly message: string
      /** The time limits, if the approval is in the form of Intercept. */
      readonly intercept?: InterceptApproval
    }

export interface PolicyEngine {
  /** Whether a result with `isError` gives quota back. Default false. */
  readonly refundsToolErrors?: boolean
  decide(call: PolicyCall): Decision
  /** Returns whether a tool is left out of `tools/list`. */
  hides(tool: string): boolean
  /** Returns the counts of all limits as plain data. */
  snapshot(): unknown
  /**
   * Restores the counts of all limits. Quota that was reserved earlier can no longer be given back.
   *
   * @throws Refusal `bad_snapshot` for a value that is not a snapshot
   */
  restore(snapshot: unknown): void
}

/**
 * Returns the argument at the path `keys`. Returns undefined if there is no such argument.
 *
 * A path leads only through objects, as in Intercept and PolicyLayer. An element of a list has no path.
 */
export function argumentAt(args: Readonly<Record<string, unknown>>, keys: readonly string[]): unknown {
  let current: unknown = args
  for (const key of keys) {
    if (typeof current !== 'object' || current === null || Array.isArray(current)) return undefined
    // Without this check, "constructor" would be an argument of every call.
    if (!Object.hasOwn(current, key)) return undefined
    current = Reflect.get(current, key)
  }
  return current
}

export type WindowName = keyof typeof WINDOWS

/** Returns the name for the length of a window, such as `minute` or `90 seconds`. */
export function windowName(ms: number): string {
  return WINDOW_NAMES.find(name => WINDOWS[name] === ms) ?? `${ms / 1000} seconds`
}

/** The message of Intercept for a call whose arguments contain no valid amount. */
export const INCALCULABLE = 'Internal policy error'

/** Returns the message for a limit that is reached. Intercept has the same message for a `rate_limit`. */
export function limitReached(max: number, windowMs: number): string {
  return `Rate limit of ${max} per ${windowName(windowMs)} reached. Try again later.`
}

/** Returns a rate in words, such as `30 a minute`. */
export function rate({ max, windowMs }: { max: number; windowMs: number }): string {
  const name = windowName(windowMs)
  return name.includes(' ') ? `${max} in ${name}` : `${max} ${name === 'hour' ? 'an' : 'a'} ${name}`
}
