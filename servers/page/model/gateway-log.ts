import type { Approval } from '../../../shared/schemas/approval.js'
import type { GatewayEntry } from '../../../shared/schemas/audit.js'

/** Judged calls that are shown. */
const MAX_ENTRIES = 500

/** The latest decisions of gateways, and the number of all. */
export interface AuditLog {
  /** The latest first. */
  readonly entries: readonly GatewayEntry[]
  readonly asked: number
  /** Denied by a rule or by a person. */
  readonly denied: number
}

export const NOTHING_ASKED: AuditLog = { entries: [], asked: 0, denied: 0 }

/** @param come new events, in their order */
export function withJudged(log: AuditLog, come: readonly GatewayEntry[]): AuditLog {
  const denied = come.filter(({ outcome }) => outcome === 'denied' || outcome === 'refused').length
  return {
    entries: [...come.slice(-MAX_ENTRIES).reverse(), ...log.entries].slice(0, MAX_ENTRIES),
    asked: log.asked + come.length,
    denied: log.denied + denied,
  }
}

/**
 * Returns the pending approvals that can still be decided. The stream has no event for an approval that expires.
 *
 * @param now the instance's time, in milliseconds
 */
export function pendingAt(pending: Iterable<Approval>, now: number): Approval[] {
  return [...pending].filter(({ expiresAt }) => Date.parse(expiresAt) > now)
}

/**
 * The approvals that are pending once these have turned up or turned into something else.
 *
 * @param turned in the order they did
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
