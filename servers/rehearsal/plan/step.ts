import type { ServerName } from '../../../shared/util/known-tools.js'
import type { ScenarioLimit } from '../scenario.js'

/** The way in which the upstream fails a call: an error in its answer, or an HTTP error without an answer. */
export type Failure = 'rpc_error' | 'tool_error' | 'http_error'

/** One call, as it is planned. */
export interface PlannedCall {
  readonly tool: string
  /** Texts that begin with `$` stand for prepared values: see stage/fixtures.ts. */
  readonly args: unknown
  /** The caller. Each name is a grant. */
  readonly as: string
  /** Default: the server that has the tool. */
  readonly server?: ServerName
  /** Whether the caller opens a further session for it, or sends it without one. Default: its usual session. */
  readonly session?: 'new' | 'none'
  /** The JSON-RPC id. Default: the next number. */
  readonly id?: string | number
  /** Whether it is sent without an id, so that no answer is wanted. */
  readonly notification?: boolean
  /** The upstream fails on purpose. */
  readonly failure?: Failure
  /** Whether all values it refers to are prepared for this call alone. */
  readonly ownFixtures?: boolean
  /** The outcome that the author of a scenario expects. */
  readonly expect?: 'allow' | 'deny' | 'approve'
  /** The author expects that calls pass up to this limit, and no further ones. */
  readonly limit?: ScenarioLimit
  /** The name by which later steps know the structured result. */
  readonly keep?: string
}

/** How the calls of one step are sent: each after the answer to the one before, all at once, or in one body. */
export type Sending = 'in turn' | 'at once' | 'as a batch'

/** Calls that are one row of the report. */
export interface CallsStep {
  readonly calls: readonly PlannedCall[]
  readonly sending: Sending
  readonly say: string
  /** They end as soon as this call would be allowed only once more: it is for a race. */
  readonly leavesOne?: PlannedCall
}

export interface ListStep {
  readonly list: ServerName
  readonly as: string
  readonly paged?: boolean
  /** The tools that the author of a scenario expects to be left out. */
  readonly hides?: readonly string[]
}

/** Notifications in both directions, with a call of each kind that can be had. */
export interface RelayStep {
  readonly relay: ServerName
  /** A call that its caller cancels. */
  readonly held?: PlannedCall
  /** A call that reports progress. */
  readonly reporting?: PlannedCall
}

/** One row of the report, or time that passes between two rows. */
export type Step =
  | CallsStep
  | ListStep
  | RelayStep
  /** Approves the call before, and makes it again. */
  | { readonly approve: true }
  /** Milliseconds. */
  | { readonly advance: number }
  /** Time passes until the window of this length in milliseconds turns, or until shortly before. */
  | { readonly turn: number; readonly shortlyBefore?: boolean }

/** Steps that belong together. */
export interface Group {
  readonly title: string
  /** Whether all windows are to have turned before it begins. */
  readonly fresh: boolean
  /** The window in milliseconds of the limit that the group uses up. */
  readonly windowMs?: number
  readonly steps: readonly Step[]
}

/** A group, or why there is none. */
export type Planned = Group | { readonly title: string; readonly step: string; readonly why: string }

/** `count` copies of a call. */
export function times(call: PlannedCall, count: number): PlannedCall[] {
  return Array.from({ length: count }, () => call)
}

/** A step that makes one call. */
export function one(call: PlannedCall, say?: string): CallsStep {
  return { calls: [call], sending: 'in turn', say: say === undefined ? call.tool : `${call.tool}, ${say}` }
}

/** A step that makes a call several times, each after the answer to the one before. */
export function repeated(call: PlannedCall, count: number, say?: string): CallsStep {
  const name = count === 1 ? call.tool : `${call.tool} × ${count}`
  return { calls: times(call, count), sending: 'in turn', say: say === undefined ? name : `${name}, ${say}` }
}
