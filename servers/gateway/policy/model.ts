import type { UpstreamEnd } from '../../../shared/schemas/audit.js'
import type { DialectVersion } from './dialect-version.js'

/** The windows that have names, in milliseconds. */
export const WINDOWS = { minute: 60_000, hour: 3_600_000, day: 86_400_000 } as const

// Object.keys forgets which names they are.
export const WINDOW_NAMES = Object.keys(WINDOWS) as WindowName[]

/** The language of a policy. `policylayer-page` is the form printed on PolicyLayer's tool pages. */
export type Dialect = 'intercept' | 'policylayer' | 'policylayer-page'

/** The operators that both products publish. */
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

/** A value as JSON and YAML have it. */
export type Plain = string | number | boolean | null | readonly Plain[] | { readonly [key: string]: Plain }

/** The value that a condition tests: an argument, by the keys that lead to it, or the count of a counter. */
export type Subject =
  | { readonly from: 'args'; readonly keys: readonly string[] }
  | { readonly from: 'state'; readonly counter: string }

export interface Condition {
  readonly subject: Subject
  /** The path as written. */
  readonly path: string
  readonly op: Operator
  readonly value: Plain
}

/** How much a call adds to a counter: a number, or the argument at a path. */
export type Amount = number | { readonly keys: readonly string[]; readonly path: string }

export interface Limit {
  /** The name of the counter, unique in the policy. */
  readonly counter: string
  /** The length of its windows. They follow one another from the epoch on, so minutes, hours and days begin as in UTC. */
  readonly windowMs: number
  /** The counter may reach this and not pass it. */
  readonly max: number
  readonly amount: Amount
  /** Whether each grant has a count of its own. */
  readonly perGrant: boolean
}

/** An approval as Intercept publishes it since intercept@2026-04. Its request is answered at once with error -32003. */
export interface InterceptApproval {
  /** How long it may be decided and used, in milliseconds from the request. */
  readonly timeoutMs: number
  /** How long the same call finds the pending request again, in milliseconds from the request. */
  readonly dedupeMs: number
}

/** The demand of a rule on a call. */
export type Demand =
  | { readonly kind: 'deny' }
  /** The call needs an approval if all conditions hold: with no conditions, always. */
  | {
      readonly kind: 'approve'
      readonly conditions: readonly Condition[]
      /** Undefined: the approval is in this project's own form. */
      readonly intercept?: InterceptApproval
    }
  /** The call is denied unless all conditions hold. */
  | { readonly kind: 'require'; readonly conditions: readonly Condition[] }
  /** The call is denied if all conditions hold: with no conditions, always. */
  | { readonly kind: 'forbid'; readonly conditions: readonly Condition[] }
  | { readonly kind: 'limit'; readonly limit: Limit }
  /** Limits what a call pays for, in the currency of the upstream. It is read and explained, and not enforced. */
  | { readonly kind: 'spend'; readonly perCall: number | undefined; readonly daily: number | undefined }

export interface Rule {
  /** The name that a denial gives. */
  readonly name: string
  /** The text that a denial gives to the caller. */
  readonly message: string
  /** Its line in the file, from 1. */
  readonly line: number
  readonly demand: Demand
}

/** A policy in any dialect, as one model. Defaults are filled in. */
export interface Policy {
  readonly dialect: Dialect
  /** Whether a result with `isError` gives quota back, as a JSON-RPC error always does. */
  readonly refundsToolErrors: boolean
  readonly description: string | undefined
  /** The decision about tools that are not in `tools`. */
  readonly default: 'allow' | 'deny'
  /** Whether the text says what the default is. */
  readonly defaultWritten: boolean
  /** Names of tools, or `*` for all. */
  readonly hide: readonly string[]
  /** By tool, in the order of the file. */
  readonly tools: ReadonlyMap<string, readonly Rule[]>
  /** The rules for every tool, behind the tool's own. */
  readonly everyTool: readonly Rule[]
}

/** Something that a policy's author should know. `note`: worth knowing; `warning`: looks wrong. */
export interface Warning {
  /** Stable, `snake_case`. */
  readonly code: string
  readonly level: 'warning' | 'note'
  readonly message: string
  readonly line?: number
  readonly tool?: string
}

/** A policy, and how its text was read. */
export interface PolicyReading {
  readonly dialect: Dialect
  /** The version of Intercept's language by which the text was read. Null for a policy of PolicyLayer, which has none. */
  readonly version: DialectVersion | null
  /** The earliest version that has all that the text uses. Null likewise. */
  readonly needs: DialectVersion | null
  readonly policy: Policy
  /** About the text alone; `reviewPolicy` says more. */
  readonly warnings: readonly Warning[]
}

/** A tools/call as a policy sees it. */
export interface PolicyCall {
  readonly tool: string
  /** The value of `arguments`, of any type. */
  readonly args: unknown
  /** The caller: the label of a grant, or a session. */
  readonly grant: string
  /** Whether this very call has been approved. Rules that ask for an approval are met then, and all others hold. */
  readonly approved?: boolean
}

/** Whether the quota that an allowed call reserved stays spent. */
export type Settlement = 'kept' | 'refunded'

/**
 * Decides what the end of an allowed call means for its quota.
 *
 * A JSON-RPC error gives quota back. A result with `isError` does so if the dialect of the policy says so. Every other end
 * keeps it spent.
 */
export function settlementOf(
  ended: UpstreamEnd,
  { refundsToolErrors = false }: Pick<PolicyEngine, 'refundsToolErrors'>,
): Settlement {
  return ended === 'rpc_error' || (ended === 'tool_error' && refundsToolErrors) ? 'refunded' : 'kept'
}

export type Decision =
  /** `settle` is to be called once, when the answer is known. See {@link settlementOf}. */
  | { readonly outcome: 'allow'; settle(answer: Settlement): void }
  | { readonly outcome: 'deny'; readonly rule: string; readonly message: string }
  /** Nothing is reserved. Decide again with `approved` once the call has been approved. */
  | {
      readonly outcome: 'approve'
      readonly rule: string
      readonly message: string
      /** Undefined: the approval is in this project's own form. */
      readonly intercept?: InterceptApproval
    }

export interface PolicyEngine {
  /** Whether a result with `isError` gives quota back. Default false. */
  readonly refundsToolErrors?: boolean
  decide(call: PolicyCall): Decision
  /** Whether tools/list is to leave the tool out. */
  hides(tool: string): boolean
  /** The counters as plain data. */
  snapshot(): unknown
  /**
   * Puts counters back. Reservations from before are no longer given back.
   *
   * @throws Refusal `bad_snapshot` for a snapshot of another policy's engine, or none
   */
  restore(snapshot: unknown): void
}

/**
 * The argument at the end of `keys`. Undefined if there is none.
 *
 * Keys lead into objects only, as in both products: an element of a list has no path.
 */
export function argumentAt(args: Readonly<Record<string, unknown>>, keys: readonly string[]): unknown {
  let current: unknown = args
  for (const key of keys) {
    if (typeof current !== 'object' || current === null || Array.isArray(current)) return undefined
    // Else "constructor" would be an argument of every call.
    if (!Object.hasOwn(current, key)) return undefined
    current = Reflect.get(current, key)
  }
  return current
}

export type WindowName = keyof typeof WINDOWS

/** `minute`, or `90 seconds`. */
export function windowName(ms: number): string {
  return WINDOW_NAMES.find(name => WINDOWS[name] === ms) ?? `${ms / 1000} seconds`
}

/** The message of Intercept where an amount cannot be had from the arguments. */
export const INCALCULABLE = 'Internal policy error'

/** The message of a limit that is reached, in the words of Intercept's shorthand. */
export function limitReached(max: number, windowMs: number): string {
  return `Rate limit of ${max} per ${windowName(windowMs)} reached. Try again later.`
}

/** `30 a minute`. */
export function rate({ max, windowMs }: { max: number; windowMs: number }): string {
  const name = windowName(windowMs)
  return name.includes(' ') ? `${max} in ${name}` : `${max} ${name === 'hour' ? 'an' : 'a'} ${name}`
}
