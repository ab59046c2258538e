import type { UpstreamEnd } from '../../../shared/schemas/audit.js'
import type { DialectVersion } from './dialect-version.js'

/** The lengths of the named windows, in milliseconds. */
export const WINDOWS = { minute: 60_000, hour: 3_600_000, day: 86_400_000 } as const

// `Object.keys` returns plain strings, so the type is stated.
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

/** The value that a condition tests: an argument, found by its keys, or the count of a counter. */
export type Subject =
  | { readonly from: 'args'; readonly keys: readonly string[] }
  | { readonly from: 'state'; readonly counter: string }

export interface Condition {
  readonly subject: Subject
  /** The path as the policy states it. */
  readonly path: string
  readonly op: Operator
  readonly value: Plain
}

/** The amount that a call adds to a counter: a number, or the argument at a path. */
export type Amount = number | { readonly keys: readonly string[]; readonly path: string }

export interface Limit {
  /** The name of the counter, which is unique in the policy. */
  readonly counter: string
  /**
   * Length of the windows in milliseconds. The first window begins at the epoch, so minutes, hours and days
   * begin as in UTC.
   */
  readonly windowMs: number
  /** The maximum count in one window. */
  readonly max: number
  readonly amount: Amount
  /** Whether each grant has a separate count. */
  readonly perGrant: boolean
}

/**
 * The time limits of an approval in the form that Intercept publishes since intercept@2026-04. A call that
 * needs such an approval is answered immediately with error -32003.
 */
export interface InterceptApproval {
  /** The time in which the approval can be decided and used, in milliseconds from the request. */
  readonly timeoutMs: number
  /** The time in which the same call gets the pending approval again, in milliseconds from the request. */
  readonly dedupeMs: number
}

/** The demand that a rule makes on a call. */
export type Demand =
  | { readonly kind: 'deny' }
  /** The call needs an approval if all conditions hold. Without conditions, every call needs one. */
  | {
      readonly kind: 'approve'
      readonly conditions: readonly Condition[]
      /** Undefined for an approval in this project's own form. */
      readonly intercept?: InterceptApproval
    }
  /** The call is denied unless all conditions hold. */
  | { readonly kind: 'require'; readonly conditions: readonly Condition[] }
  /** The call is denied if all conditions hold. Without conditions, every call is denied. */
  | { readonly kind: 'forbid'; readonly conditions: readonly Condition[] }
  | { readonly kind: 'limit'; readonly limit: Limit }
  /**
   * Limits the payments of calls, in the currency of the upstream. `understudy check` explains such a rule,
   * but the gateway does not start with it.
   */
  | { readonly kind: 'spend'; readonly perCall: number | undefined; readonly daily: number | undefined }

export interface Rule {
  /** The name of the rule in a denial. */
  readonly name: string
  /** The text of a denial for the caller. */
  readonly message: string
  /** The line of the rule in the file, from 1. */
  readonly line: number
  readonly demand: Demand
}

/** A policy of any dialect in one common model. Defaults are filled in. */
export interface Policy {
  readonly dialect: Dialect
  /** Whether a result with `isError` gives quota back. A JSON-RPC error always does. */
  readonly refundsToolErrors: boolean
  readonly description: string | undefined
  /** The decision about tools that `tools` does not name. */
  readonly default: 'allow' | 'deny'
  /** Whether the text of the policy states the default. */
  readonly defaultWritten: boolean
  /** Names of hidden tools, or `*` for all tools. */
  readonly hide: readonly string[]
  /** The rules of each tool, in the order of the file. */
  readonly tools: ReadonlyMap<string, readonly Rule[]>
  /** The rules for every tool, which are checked after the tool's own rules. */
  readonly everyTool: readonly Rule[]
}

/**
 * A message for the author of a policy. A `warning` is about something that looks wrong. A `note` is
 * additional information.
 */
export interface Warning {
  /** A stable code in `snake_case`. */
  readonly code: string
  readonly level: 'warning' | 'note'
  readonly message: string
  readonly line?: number
  readonly tool?: string
}

/** A policy and the findings from reading its text. */
export interface PolicyReading {
  readonly dialect: Dialect
  /** The version of Intercept's language in which the text was read. Null for a policy of PolicyLayer. */
  readonly version: DialectVersion | null
  /** The earliest version that has all features of the text. Null for a policy of PolicyLayer. */
  readonly needs: DialectVersion | null
  readonly policy: Policy
  /** Warnings about the text. `reviewPolicy` adds warnings about the meaning. */
  readonly warnings: readonly Warning[]
}

/** A tool call as a policy judges it. */
export interface PolicyCall {
  readonly tool: string
  /** The value of `arguments`, of any type. */
  readonly args: unknown
  /** The caller: the label of a grant, or a session. */
  readonly grant: string
  /**
   * Whether this call has been approved. If so, rules that require an approval let it pass. All other rules
   * still apply.
   */
  readonly approved?: boolean
}

/** Whether the quota that an allowed call reserved stays spent. */
export type Settlement = 'kept' | 'refunded'

/**
 * Decides whether the end of an allowed call gives its quota back.
 *
 * A JSON-RPC error gives quota back. A result with `isError` gives quota back only if the dialect of the
 * policy says so. After every other end, the quota stays spent.
 */
export function settlementOf(
  ended: UpstreamEnd,
  { refundsToolErrors = false }: Pick<PolicyEngine, 'refundsToolErrors'>,
): Settlement {
  return ended === 'rpc_error' || (ended === 'tool_error' && refundsToolErrors) ? 'refunded' : 'kept'
}

export type Decision =
  /** `settle` must be called once, when the call has ended. See {@link settlementOf}. */
  | { readonly outcome: 'allow'; settle(answer: Settlement): void }
  | { readonly outcome: 'deny'; readonly rule: string; readonly message: string }
  /** No quota is reserved. After the approval, `decide` must be called again with `approved`. */
  | {
      readonly outcome: 'approve'
      readonly rule: string
      readonly message: string
      /** Undefined for an approval in this project's own form. */
      readonly intercept?: InterceptApproval
    }

export interface PolicyEngine {
  /** Whether a result with `isError` gives quota back. Default false. */
  readonly refundsToolErrors?: boolean
  decide(call: PolicyCall): Decision
  /** Returns whether a tool is left out of `tools/list`. */
  hides(tool: string): boolean
  /** Returns the counts as plain data. */
  snapshot(): unknown
  /**
   * Restores counts from a snapshot. Earlier reservations can no longer be given back.
   *
   * @throws Refusal `bad_snapshot` for a value that is not a snapshot
   */
  restore(snapshot: unknown): void
}

/**
 * Returns the argument at the end of `keys`. Returns undefined if there is none.
 *
 * Keys lead only into objects, as in both products. An element of a list has no path.
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

/** Returns the name of a window, such as `minute` or `90 seconds`. */
export function windowName(ms: number): string {
  return WINDOW_NAMES.find(name => WINDOWS[name] === ms) ?? `${ms / 1000} seconds`
}

/** Intercept's message for a call whose arguments contain no valid amount. */
export const INCALCULABLE = 'Internal policy error'

/** Returns the message for a limit that is reached, in the words of Intercept's shorthand. */
export function limitReached(max: number, windowMs: number): string {
  return `Rate limit of ${max} per ${windowName(windowMs)} reached. Try again later.`
}

/** Returns a rate in words, such as `30 a minute`. */
export function rate({ max, windowMs }: { max: number; windowMs: number }): string {
  const name = windowName(windowMs)
  return name.includes(' ') ? `${max} in ${name}` : `${max} ${name === 'hour' ? 'an' : 'a'} ${name}`
}
