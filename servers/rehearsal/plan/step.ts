import type { ServerName } from '../../../shared/util/known-tools.js'
import type { ScenarioLimit } from '../scenario.js'

/** The error with which the upstream fails a call on purpose. An `http_error` has no JSON-RPC answer. */
export type Failure = 'rpc_error' | 'tool_error' | 'http_error'

/** A planned call. */
export interface PlannedCall {
  readonly tool: string
  /**
   * A string that begins with `$` is a reference to a prepared or kept value. See `PreparedValues` in
   * stage/fixtures.ts.
   */
  readonly args: unknown
  /** The name of the caller, which is also the name of its grant. */
  readonly as: string
  /** The server to call. Default: the server that has the tool. */
  readonly server?: ServerName
  /**
   * `new` opens a further session for this call. `none` sends the call without a session. Default: the
   * session that the caller already has.
   */
  readonly session?: 'new' | 'none'
  /** The JSON-RPC id of the request. Default: the number after the last id. */
  readonly id?: string | number
  /** Whether the call is sent without an id, as a notification that expects no answer. */
  readonly notification?: boolean
  /** The error with which the upstream fails this call on purpose. Default: the upstream does not fail it. */
  readonly failure?: Failure
  /** Whether the referenced values are prepared anew for this call. Default: calls share prepared values. */
  readonly ownFixtures?: boolean
  /** The outcome that the author of a scenario expects. */
  readonly expect?: 'allow' | 'deny' | 'approve'
  /**
   * The limit that the author of a scenario expects. Calls within the limit have to be allowed, and calls
   * beyond it have to be denied.
   */
  readonly limit?: ScenarioLimit
  /** The name under which later steps refer to the structured result of this call. */
  readonly keep?: string
}

/**
 * How the calls of one step are sent.
 *
 * `in turn` waits for each answer before the next call. `at once` sends all calls at the same time.
 * `as a batch` sends one JSON-RPC batch.
 */
export type Sending = 'in turn' | 'at once' | 'as a batch'

/** Calls that the report shows as one row. */
export interface CallsStep {
  readonly calls: readonly PlannedCall[]
  readonly sending: Sending
  readonly say: string
  /**
   * Ends the step early when the policy would allow this call only once more, so that one call is left for a
   * race.
   */
  readonly leavesOne?: PlannedCall
}

export interface ListStep {
  readonly list: ServerName
  readonly as: string
  readonly paged?: boolean
  /** The tools that the author of a scenario expects to be hidden. */
  readonly hides?: readonly string[]
}

/**
 * A test of notifications in both directions. `cancelled` or `reporting` is undefined if the policy allows no
 * suitable call.
 */
export interface RelayStep {
  readonly relay: ServerName
  /** A call that the upstream delays and the caller cancels. */
  readonly cancelled?: PlannedCall
  /** A call that reports progress. */
  readonly reporting?: PlannedCall
}

/** A step that makes one row of the report, or a step that lets time pass. */
export type Step =
  | CallsStep
  | ListStep
  | RelayStep
  /** Approves the previous call and makes it again. */
  | { readonly approve: true }
  /** Lets this number of milliseconds pass. */
  | { readonly advance: number }
  /** Lets time pass until a window of `windowMs` milliseconds ends, or until shortly before its end. */
  | { readonly windowMs: number; readonly shortlyBefore?: boolean }

/** Steps that share a title in the report. */
export interface Group {
  readonly title: string
  /** Whether every limit has to begin a new window before this group. */
  readonly fresh: boolean
  /** The length of the window in which this group uses up a limit, in milliseconds. */
  readonly windowMs?: number
  readonly steps: readonly Step[]
}

/** A group of steps. If the group cannot be planned, `why` is the reason. */
export type Planned = Group | { readonly title: string; readonly step: string; readonly why: string }

/** Returns `count` copies of a call. */
export function times(call: PlannedCall, count: number): PlannedCall[] {
  return Array.from({ length: count }, () => call)
}

/** Returns a step that makes one call. */
export function one(call: PlannedCall, say?: string): CallsStep {
  return { calls: [call], sending: 'in turn', say: say === undefined ? call.tool : `${call.tool}, ${say}` }
}

/** Returns a step that makes a call `count` times. Each call waits for the answer to the previous one. */
export function repeated(call: PlannedCall, count: number, say?: string): CallsStep {
  const name = count === 1 ? call.tool : `${call.tool} × ${count}`
  return { calls: times(call, count), sending: 'in turn', say: say === undefined ? name : `${name}, ${say}` }
}
