import type { RequestId } from '@modelcontextprotocol/sdk/types.js'

/** What was made of a call: `approved` and `refused` were put before somebody. */
export type AuditOutcome = 'allowed' | 'denied' | 'approved' | 'refused'

/** How a call ended at the upstream; `lost`: without an answer that could be read. */
export type UpstreamEnd = 'result' | 'tool_error' | 'rpc_error' | 'cancelled' | 'lost' | 'unanswered'

/** One call that the gateway judged. Of its arguments there are names alone: values may be secrets. */
export interface AuditEntry {
  readonly seq: number
  /** The clock that the policy's windows go by, ISO 8601. */
  readonly at: string
  readonly grant: string
  readonly session: string | null
  /** Null for a notification. */
  readonly requestId: RequestId | null
  readonly tool: string
  readonly argumentKeys: readonly string[]
  /** Joins with the `argsHash` of the upstream's journal; null if the arguments are nested too deeply to be hashed. */
  readonly argsHash: string | null
  readonly outcome: AuditOutcome
  /** The rule that denied it or had it approved. */
  readonly rule: string | null
  readonly message: string | null
  /** The approval it waited for. */
  readonly approval: string | null
  readonly upstream: UpstreamTrip | null
}

/** A call's way to the upstream and back. */
export interface UpstreamTrip {
  readonly ended: UpstreamEnd
  /** Of HTTP; null on a pipe, or if none came. */
  readonly status: number | null
  /** Machine milliseconds from when it was let on to how it ended. */
  readonly latencyMs: number
  readonly quota: 'kept' | 'refunded'
}
