import type { GatewayEntry } from '../../../shared/schemas/audit.js'

/** Judged calls that are shown. */
const MOST = 500

/** What gateways made of calls: the latest, and how many there were in all. */
export interface AuditLog {
  /** The latest first. */
  readonly entries: readonly GatewayEntry[]
  readonly asked: number
  /** By a rule, or by somebody. */
  readonly denied: number
}

export const NOTHING_ASKED: AuditLog = { entries: [], asked: 0, denied: 0 }

/** @param come what has come since, in the order it came */
export function withJudged(log: AuditLog, come: readonly GatewayEntry[]): AuditLog {
  const denied = come.filter(({ outcome }) => outcome === 'denied' || outcome === 'refused').length
  return {
    entries: [...come.slice(-MOST).reverse(), ...log.entries].slice(0, MOST),
    asked: log.asked + come.length,
    denied: log.denied + denied,
  }
}
