import type { ServerName } from '../../../shared/util/known-tools.js'
import { handleOf } from '../stage/fixtures.js'
import type { Stage } from '../stage/stage.js'
import { type Caller, type Callers, isModernRevision } from './caller.js'

/**
 * Tokens of the stage's accounts. Callers send these tokens if the gateway has no tokens of its own, because
 * such a gateway forwards tokens to the upstream.
 */
const ACCOUNT_TOKENS = ['understudy-paid-token', 'understudy-paid-token-2'] as const

/** A gateway under test. Callers send requests through it. */
export interface Way {
  /** The name of the gateway in the report. */
  readonly name: string
  /** Whether the gateway uses the stage's clock. If not, the rehearsal cannot advance the gateway's clock. */
  readonly advances: boolean
  /** Number of callers that the gateway can tell apart. */
  readonly grants: number
  /** Whether a denial by the gateway names the rule. Only denials by the builtin gateway do. */
  readonly namesRules: boolean
  /**
   * Whether a bridge from pipes to HTTP can be between the gateway and the upstream. A bridge may turn an
   * HTTP error of the upstream into a JSON-RPC error, and the gateway then gives quota back. Default: there
   * is no bridge.
   */
  readonly bridged?: boolean
  /**
   * Returns a caller. Opens its session when the caller is first requested.
   *
   * @throws Refusal if the gateway does not start or opens no session
   */
  caller(server: ServerName, as: string): Promise<Caller>
  /**
   * Opens a further session for a caller. Undefined for a gateway on pipes, which has only one session. Also
   * undefined in the modern era, which has no sessions.
   *
   * @throws Refusal if the gateway does not start or opens no session
   */
  newSession?(server: ServerName, as: string): Promise<Caller>
  /**
   * Returns the last output of a gateway that the rehearsal started, for the report of a rehearsal that ends
   * early. Empty if there is no output.
   */
  lastOutput?(): string
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
 * @param names the names of the callers, which are also the names of their grants
 * @param protocol the MCP revision that callers speak. Default: {@link REVISION}
 */
export type OpenWay = (stage: Stage, names: readonly string[], protocol?: string) => Promise<Way>

/**
 * Returns an object with `newSession` for {@link Way}. Returns an empty object in the modern era, which has
 * no sessions.
 */
export function furtherSessions(callers: Callers, protocol: string): Pick<Way, 'newSession'> {
  if (isModernRevision(protocol)) return {}
  return { newSession: (server, as) => callers.another(server, as) }
}

/**
 * Returns the headers that a caller sends to an external gateway.
 *
 * @param bearers the tokens of the callers at the gateway, in the order of `names`. If empty, callers use
 *   tokens of the stage's accounts
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
