import type { Approval } from '../../../shared/schemas/approval.js'
import type { GatewayEntry } from '../../../shared/schemas/audit.js'
import type { LoggedCall } from './call-log.js'
import { type LogKind, MAX_ROWS } from './log.js'

/** The latest decisions of gateways, and the number of all decisions. */
export interface AuditLog {
  /** The oldest first. */
  readonly entries: readonly GatewayEntry[]
  /** Number of calls on which a gateway has decided. */
  readonly decided: number
  /** Number of calls that a rule or a person has denied. */
  readonly denied: number
}

export const EMPTY_AUDIT_LOG: AuditLog = { entries: [], decided: 0, denied: 0 }

/** Returns the log with new decisions. @param added the new decisions, the oldest first */
export function withDecisions(log: AuditLog, added: readonly GatewayEntry[]): AuditLog {
  return {
    entries: [...log.entries, ...added].slice(-MAX_ROWS),
    decided: log.decided + added.length,
    denied: log.denied + added.filter(isDenied).length,
  }
}

/** Returns whether a rule or a person has denied a call. */
function isDenied({ outcome }: GatewayEntry): boolean {
  return outcome === 'denied' || outcome === 'refused'
}

/** The log of decisions. */
export const DECISIONS: LogKind<GatewayEntry> = {
  seqOf: ({ seq }) => seq,
  wordsOf: ({ tool, grant, server, rule }) => [tool, grant, server, rule].join(' '),
  checks: { 'denied only': isDenied },
}

/**
 * Returns the number of the call that a gateway passed on after a decision. Returns undefined if the log does
 * not have the call, or if several calls in the log match the decision.
 *
 * A server with `--stamp` has sent the number to the gateway. Without it, a call matches if it arrived after
 * the decision and has the same server, tool and arguments.
 */
export function callOf(decision: GatewayEntry, calls: readonly LoggedCall[]): number | undefined {
  const { at, server, tool, argsHash, upstream } = decision
  if (upstream === null) return undefined
  const found = calls.filter(({ entry: call }) =>
    upstream.entry === null
      ? call.tool === tool && call.argsHash === argsHash && call.server === server && call.at >= at
      : call.seq === upstream.entry,
  )
  return found.length === 1 ? found[0]?.entry.seq : undefined
}

/**
 * Returns the pending approvals that have not expired. The stream sends no event when an approval expires.
 *
 * @param now the instance's time, in milliseconds
 */
export function pendingAt(pending: Iterable<Approval>, now: number): Approval[] {
  return [...pending].filter(({ expiresAt }) => Date.parse(expiresAt) > now)
}

/**
 * Returns the pending approvals after changes: a new pending approval is added, and a decided one is removed.
 *
 * @param changed the new and changed approvals, in the order of their changes
 */
export function withApprovals(
  pending: ReadonlyMap<string, Approval>,
  changed: readonly Approval[],
): ReadonlyMap<string, Approval> {
  const all = new Map(pending)
  for (const approval of changed) {
    if (approval.state === 'pending') all.set(approval.id, approval)
    else all.delete(approval.id)
  }
  return all
}
