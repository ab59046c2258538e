/** The windows that have names, in milliseconds. */
export const WINDOWS = { minute: 60_000, hour: 3_600_000, day: 86_400_000 } as const

// Object.keys forgets which names they are.
export const WINDOW_NAMES = Object.keys(WINDOWS) as WindowName[]

/** What a policy was written in; `policylayer-page` is the form printed on PolicyLayer's tool pages. */
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

/** What a condition looks at: an argument, by the keys that lead to it, or what a counter stands at. */
export type Subject =
  | { readonly from: 'args'; readonly keys: readonly string[] }
  | { readonly from: 'state'; readonly counter: string }

export interface Condition {
  readonly subject: Subject
  /** The path as written, for words. */
  readonly path: string
  readonly op: Operator
  readonly value: Plain
}

/** How much a call costs a counter: so much, or what stands at a path of its arguments. */
export type Amount = number | { readonly keys: readonly string[]; readonly path: string }

export interface Limit {
  /** Under which it is counted: unique in the policy. */
  readonly counter: string
  /** Windows of this length follow one another from the epoch on: minutes, hours and days begin as on a UTC calendar. */
  readonly windowMs: number
  /** The counter may reach this and not pass it. */
  readonly max: number
  readonly amount: Amount
  /** Whether each grant has a count of its own. */
  readonly perGrant: boolean
}

/** What a rule asks of a call. */
export type Demand =
  | { readonly kind: 'deny' }
  /** Somebody has to approve: no product publishes a format for it, this one is the project's own. */
  | { readonly kind: 'approve' }
  /** Denied unless all hold. */
  | { readonly kind: 'require'; readonly conditions: readonly Condition[] }
  /** Denied if all hold: with no conditions, always. */
  | { readonly kind: 'forbid'; readonly conditions: readonly Condition[] }
  | { readonly kind: 'limit'; readonly limit: Limit }

export interface Rule {
  /** What a denial calls it. */
  readonly name: string
  /** What a denial tells the caller. */
  readonly message: string
  /** Where it stands in the file, from 1. */
  readonly line: number
  readonly demand: Demand
}

/** A policy in either dialect, as one model. What its text left to a default is filled in. */
export interface Policy {
  readonly dialect: Dialect
  readonly description: string | undefined
  /** Of tools that are not in `tools`. */
  readonly default: 'allow' | 'deny'
  /** Whether the text says what the default is. */
  readonly defaultWritten: boolean
  /** Names of tools, or `*` for all. */
  readonly hide: readonly string[]
  /** By tool, in the order of the file. */
  readonly tools: ReadonlyMap<string, readonly Rule[]>
  /** For each call of every tool, behind the tool's own. */
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
  readonly policy: Policy
  /** About the text alone; `reviewPolicy` says more. */
  readonly warnings: readonly Warning[]
}

/** A tools/call as a policy sees it. */
export interface PolicyCall {
  readonly tool: string
  /** What stood in `arguments`; anything. */
  readonly args: unknown
  /** Who calls: the label of a grant, or a session. */
  readonly grant: string
  /** Whether somebody has approved this very call: rules that ask for that are met, all others hold. */
  readonly approved?: boolean
}

/** What becomes of the quota that an allowed call reserved. */
export type Settlement = 'kept' | 'refunded'

export type Decision =
  /**
   * `settle` is to be called when the answer is known, once; quota is given back for a JSON-RPC error, and
   * for that alone.
   */
  | { readonly outcome: 'allow'; settle(answer: Settlement): void }
  | { readonly outcome: 'deny'; readonly rule: string; readonly message: string }
  /** Nothing is reserved: decide again with `approved` once somebody has said yes. */
  | { readonly outcome: 'approve'; readonly rule: string; readonly message: string }

export interface PolicyEngine {
  decide(call: PolicyCall): Decision
  /** Whether tools/list is to leave the tool out. */
  hides(tool: string): boolean
  /** The counters as plain data. */
  snapshot(): unknown
  /**
   * Puts counters back; what was reserved before is no longer given back.
   *
   * @throws Refusal `bad_snapshot` for what `snapshot` of this policy's engine did not make
   */
  restore(snapshot: unknown): void
}

/**
 * What stands at the end of `keys`; undefined if they lead nowhere. Keys go into objects alone, as both
 * products have it: an element of a list has no path.
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

/** What a caller is told whose limit is reached; Intercept's shorthand has it in these words. */
export function limitReached(max: number, windowMs: number): string {
  return `Rate limit of ${max} per ${windowName(windowMs)} reached. Try again later.`
}

/** `30 a minute`. */
export function rate({ max, windowMs }: { max: number; windowMs: number }): string {
  const name = windowName(windowMs)
  return name.includes(' ') ? `${max} in ${name}` : `${max} ${name === 'hour' ? 'an' : 'a'} ${name}`
}
