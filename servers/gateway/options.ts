import type { Clock } from '../../shared/clock/clock.js'
import type { IdSource } from '../../shared/ids.js'
import type { ListenOptions } from '../../shared/mcp/http/serve.js'
import type { Log } from '../../shared/util/log.js'
import type { DialectVersion } from './policy/dialect-version.js'
import type { PolicyEngine } from './policy/model.js'

/** The treatment of a caller's Safebot handle: pass it, drop it, or set it to the label of the grant. */
export type HandlePolicy = 'pass' | 'drop' | 'grant'

export const HANDLE_POLICIES = ['pass', 'drop', 'grant'] as const

/** The forms of a denial's text: in this project's words or in the words of a product. */
export const DENIAL_TEXTS = ['understudy', 'intercept', 'policylayer'] as const

export type DenialText = (typeof DENIAL_TEXTS)[number]

/** Time in which an approval can be decided and used, in milliseconds. A rule can set another time. */
export const APPROVAL_TTL_MS = 10 * 60_000

/** A policy: the path of its file, or an engine that judges calls. */
export type PolicySource = string | PolicyEngine

/** A caller that is identified by a bearer token. Without a policy, every call of the caller is denied. */
export interface GrantOptions {
  label: string
  token: string
  policy?: PolicySource
}

/** A program that the gateway starts. The program speaks MCP over its pipes. */
export interface CommandUpstream {
  command: readonly [program: string, ...args: string[]]
  /** The environment of the program. Default: the environment of this process. */
  env?: NodeJS.ProcessEnv
}

/** The accounts of an upstream in this process. A gateway uses them to identify callers by their tokens. */
export interface UpstreamAccounts {
  /**
   * Finds the account that a bearer token belongs to.
   *
   * @returns the id of the account, and the credential with which the gateway calls as that account.
   *   Undefined for an unknown token
   */
  find(bearer: string): Promise<{ readonly id: string; readonly credential: string } | undefined>
}

export interface GatewayOptions extends ListenOptions {
  /** The policy for all callers. Entries of `grants` may have their own policy. */
  policy?: PolicySource
  /** The published version of Intercept's language in which policies are read. Default: the newest. */
  dialect?: DialectVersion
  /** The URL of an MCP endpoint, or a program to start. */
  upstream: string | CommandUpstream
  /** Name of the command-line option that sets the port, for error messages. Default `--port`. */
  portOption?: string
  /** Whether to serve HTTP. False is for a gateway that has only a client on stdio. Default true. */
  http?: boolean
  /** The callers. Default: all callers share one grant, named `default`. */
  grants?: readonly GrantOptions[]
  /**
   * The accounts of the upstream. A caller with an account's token reaches the upstream as that account.
   * Without `grants`, the id of the account is also the label of the caller's grant. A caller without a token
   * then has the grant `default`, and unknown tokens are refused. Default: no accounts.
   */
  accounts?: UpstreamAccounts
  /**
   * Headers for each request to the upstream, as `Name: value`. Most often, one of them is the upstream's
   * credential.
   */
  upstreamHeaders?: readonly string[]
  /** Names of further headers to pass from the caller to the upstream. */
  passHeaders?: readonly string[]
  /**
   * The treatment of `X-Safebot-Handle` and `?handle=`: `pass`, `drop`, or `grant` for the label of the
   * grant. Default `pass`.
   */
  handle?: HandlePolicy
  /**
   * The form of a denial's text: in this project's words or in the words of a product. Default `understudy`.
   */
  denialText?: DenialText
  /**
   * Maximum time to hold a call for its approval, in milliseconds of the clock, at most ten minutes. Default
   * 0: the call is denied immediately with an approval id. A call under Intercept's `require_approval` is
   * never held.
   */
  approvalHoldMs?: number
  /**
   * The port on which approvals are listed and decided. 0 selects a free port. Agents must not be able to
   * reach this port. Default: no port, so that only this process can decide.
   */
  approvalPort?: number
  /** The file to which the audit is appended as JSON lines. */
  auditFile?: string
  /**
   * The clock of rate windows, approvals and timestamps. For an upstream in this process, it should be the
   * instance's clock. Default: a real clock.
   */
  clock?: Clock
  /** The source of ids. Default: random ids. */
  ids?: IdSource
  /** The log. Default: silent. */
  log?: Log
}
