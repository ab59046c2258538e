import type { Approval } from '../../../shared/schemas/approval.js'
import type { GatewayEntry } from '../../../shared/schemas/audit.js'

/** Maximum number of decisions that are shown. */
const MAX_ENTRIES = 500

/** The latest decisions of gateways, and the number of all decisions. */
export interface AuditLog {
  /** The latest first. */
  readonly entries: readonly GatewayEntry[]
  readonly asked: number
  /** Number of calls that a rule or a person has denied. */
  readonly denied: number
}

export const NOTHING_ASKED: AuditLog = { entries: [], asked: 0, denied: 0 }

/** Returns the log with new decisions. @param come the new decisions, the oldest first */
export function withJudged(log: AuditLog, come: readonly GatewayEntry[]): AuditLog {
  const denied = come.filter(({ outcome }) => outcome === 'denied' || outcome === 'refused').length
  return {
    entries: [...come.slice(-MAX_ENTRIES).reverse(), ...log.entries].slice(0, MAX_ENTRIES),
    asked: log.asked + come.length,
    denied: log.denied + denied,
  }
}

/**
 * Returns the pending approvals that can still be decided. The stream has no event for an approval that
 * expires.
 *
 * @param now the instance's time, in milliseconds
 */
export function pendingAt(pending: Iterable<Approval>, now: number): Approval[] {
  return [...pending].filter(({ expiresAt }) => Date.parse(expiresAt) > now)
}

/**
 * Returns the pending approvals after some approvals were requested, decided or otherwise changed.
 *
 * @param turned the new and changed approvals, in the order of their changes
 */
export function withTurned(
  pending: ReadonlyMap<string, Approval>,
  turned: readonly Approval[],
): ReadonlyMap<string, Approval> {
  const all = new Map(pending)
  for (const approval of turned) {
    if (approval.state === 'pending') all.set(approval.id, approval)
    else all.delete(approval.id)
  }
  return all
}
