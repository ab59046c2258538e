import type { ServerName } from '../../../shared/util/known-tools.js'
import { handleOf } from '../stage/fixtures.js'
import type { Stage } from '../stage/stage.js'
import { type Caller, type Callers, isModernRevision } from './caller.js'

/**
 * Tokens of the stage's accounts. Callers use them with a gateway that forwards bearer tokens to the
 * upstream.
 */
const ACCOUNT_TOKENS = ['understudy-paid-token', 'understudy-paid-token-2'] as const

/** A gateway under test, with the callers that use it. */
export interface Way {
  /** The name of the gateway in the report. */
  readonly name: string
  /** Whether the gateway uses the stage's clock. If not, the rehearsal cannot move the gateway's time. */
  readonly advances: boolean
  /** Number of callers that the gateway can tell apart. */
  readonly grants: number
  /** Whether the gateway's denials name their rule, as those of the builtin gateway do. */
  readonly namesRules: boolean
  /**
   * Whether the gateway's upstream may be a bridge from pipes to HTTP. A bridge may turn an HTTP error of the
   * stage into a JSON-RPC error, which gives quota back. Default: there is no bridge.
   */
  readonly bridged?: boolean
  /**
   * Returns a caller, which opens its session on first use.
   *
   * @throws Refusal if the gateway does not start or opens no session
   */
  caller(server: ServerName, as: string): Promise<Caller>
  /**
   * Opens another session of a caller. Undefined for a gateway on pipes, which has only one session, and in
   * the modern era, which has none. @throws Refusal if the gateway does not start or opens no session
   */
  newSession?(server: ServerName, as: string): Promise<Caller>
  /**
   * Returns the last output of a gateway that the rehearsal started, for a report that ends early. Empty if
   * there is none.
   */
  lastWords?(): string
  /**
   * Approves the pending calls and returns their number. Undefined if the rehearsal cannot approve calls of
   * this gateway.
   */
  approve?(): number
  close(): Promise<void>
}

/**
 * Opens a gateway in front of the stage.
 *
 * @param names the names of the callers, each with a grant of its own
 * @param protocol the revision that callers speak. Default: {@link REVISION}
 */
export type OpenWay = (stage: Stage, names: readonly string[], protocol?: string) => Promise<Way>

/** Returns the `newSession` of a gateway. Empty in the modern era, which has no sessions. */
export function furtherSessions(callers: Callers, protocol: string): Pick<Way, 'newSession'> {
  if (isModernRevision(protocol)) return {}
  return { newSession: (server, as) => callers.another(server, as) }
}

/**
 * Returns the headers that a caller sends to an external gateway.
 *
 * @param bearers the tokens by which the gateway knows its callers, in the order of `names`. Default: tokens
 *   of accounts
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
