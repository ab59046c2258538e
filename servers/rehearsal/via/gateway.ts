import type { ServerName } from '../../../shared/util/known-tools.js'
import { handleOf } from '../stage/fixtures.js'
import type { Stage } from '../stage/stage.js'
import { type Caller, type Callers, isModernRevision } from './caller.js'

/** Accounts of the stage: what callers show a gateway that passes their bearer on. */
const ACCOUNT_TOKENS = ['understudy-paid-token', 'understudy-paid-token-2'] as const

/** A gateway that a rehearsal goes through. */
export interface Way {
  /** For the report. */
  readonly name: string
  /** Whether its windows go by the stage's clock. If not, time cannot be made to pass for it. */
  readonly advances: boolean
  /** How many callers it can tell apart. */
  readonly grants: number
  /** Whether its denials name their rule, as the builtin one's do. */
  readonly namesRules: boolean
  /**
   * Whether the server behind the gateway may be a bridge from pipes to the stage. Then the gateway sees a JSON-RPC error,
   * which gives quota back, where the upstream answers with an HTTP error. Default: it is none.
   */
  readonly bridged?: boolean
  /** @throws Refusal if the gateway cannot be started, or opens no session */
  caller(server: ServerName, as: string): Promise<Caller>
  /**
   * Opens a further session of a caller. Undefined on pipes, where each would be a gateway of its own, and in the modern era,
   * which has no sessions. @throws as `caller`
   */
  newSession?(server: ServerName, as: string): Promise<Caller>
  /** The last output of a gateway that was started, for a report that ends early; empty if there is none. */
  lastWords?(): string
  /** Approves the pending calls and returns their number. Undefined: the gateway has no approvals that are known here. */
  approve?(): number
  close(): Promise<void>
}

/**
 * Puts a gateway in front of the stage.
 *
 * @param names the callers: each is a grant
 * @param protocol the revision that callers speak. Default: {@link REVISION}
 */
export type OpenWay = (stage: Stage, names: readonly string[], protocol?: string) => Promise<Way>

/** `newSession` of a way, where its callers have sessions. */
export function furtherSessions(callers: Callers, protocol: string): Pick<Way, 'newSession'> {
  if (isModernRevision(protocol)) return {}
  return { newSession: (server, as) => callers.another(server, as) }
}

/**
 * The headers of a caller, for a gateway that is not ours.
 *
 * @param bearers the tokens by which the gateway knows its callers, in the order of `names`. Default: tokens of accounts
 */
export function headersOf(
  as: string,
  names: readonly string[],
  bearers: readonly string[],
): Record<string, string> {
  const at = Math.max(0, names.indexOf(as))
  const token = bearers.length === 0 ? ACCOUNT_TOKENS[Math.min(at, 1)] : (bearers[at] ?? bearers[0])
  return { Authorization: `Bearer ${token}`, 'X-Safebot-Handle': handleOf(as) }
}
