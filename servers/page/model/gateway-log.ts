import type { Approval } from '../../../shared/schemas/approval.js'
import type { GatewayEntry } from '../../../shared/schemas/audit.js'
import type { LoggedCall } from './call-log.js'
import { type LogKind, MAX_ROWS } from './log.js'

/** The latest decisions of gateways, and the number of all decisions. */
export interface AuditLog {
  /** The oldest first. */
  readonly entries: readonly GatewayEntry[]
  readonly asked: number
  /** Number of calls that a rule or a person has denied. */
  readonly denied: number
}

export const NOTHING_ASKED: AuditLog = { entries: [], asked: 0, denied: 0 }

/** Returns the log with new decisions. @param come the new decisions, the oldest first */
export function withJudged(log: AuditLog, come: readonly GatewayEntry[]): AuditLog {
  return {
    entries: [...log.entries, ...come].slice(-MAX_ROWS),
    asked: log.asked + come.length,
    denied: log.denied + come.filter(isDenied).length,
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
 * Returns the number of the call that a gateway passed on. Undefined if the call is not in the log, or if several
 * calls could be it.
 *
 * A server with `--stamp` has told the gateway the number. Otherwise the call is the only one since the decision
 * with the same server, tool and arguments.
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
