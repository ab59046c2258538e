import type { Clock } from '../../shared/clock/clock.js'
import type { IdSource } from '../../shared/ids.js'
import type { ListenOptions } from '../../shared/mcp/http/serve.js'
import type { Log } from '../../shared/util/log.js'
import type { DialectVersion } from './policy/dialect-version.js'
import type { PolicyEngine } from './policy/model.js'

/**
 * How the gateway treats the Safebot handle of a caller: pass it on, drop it, or set it to the grant's label.
 */
export type HandlePolicy = 'pass' | 'drop' | 'grant'

export const HANDLE_POLICIES = ['pass', 'drop', 'grant'] as const

/** The wordings of a denial: the wording of this project, or of a product. */
export const DENIAL_TEXTS = ['understudy', 'intercept', 'policylayer'] as const

export type DenialText = (typeof DENIAL_TEXTS)[number]

/** Default time from the request of an approval until the approval expires, in milliseconds. */
export const APPROVAL_TTL_MS = 10 * 60_000

/** A policy, given as the path of its file or as an engine. */
export type PolicySource = string | PolicyEngine

/** A grant and the bearer token that identifies its caller. Without a policy, all its calls are denied. */
export interface GrantOptions {
  label: string
  token: string
  policy?: PolicySource
}

/** A program that the gateway starts. The program speaks MCP on stdin and stdout. */
export interface CommandUpstream {
  command: readonly [program: string, ...args: string[]]
  /** The environment of the program. Default: the environment of this process. */
  env?: NodeJS.ProcessEnv
}

/**
 * Looks up the accounts of an upstream in this process, so that a gateway can identify callers by their
 * tokens.
 */
export interface UpstreamAccounts {
  /**
   * Finds the account that a bearer token belongs to.
   *
   * @returns the id of the account, and the credential with which the gateway calls the upstream for that
   *   account. Undefined for an unknown token
   */
  find(bearer: string): Promise<{ readonly id: string; readonly credential: string } | undefined>
}

export interface GatewayOptions extends ListenOptions {
  /** The policy for all callers. If there are `grants`, their own policies are used instead. */
  policy?: PolicySource
  /** The version of Intercept's policy language. Default: the newest. */
  dialect?: DialectVersion
  /** The URL of an MCP endpoint, or a program to start. */
  upstream: string | CommandUpstream
  /** Name of the command-line option that sets the port, for error messages. Default `--port`. */
  portOption?: string
  /** Whether the gateway serves HTTP. False if its only client is on stdio. Default true. */
  http?: boolean
  /** The callers. Default: all callers share one grant, named `default`. */
  grants?: readonly GrantOptions[]
  /**
   * The accounts of the upstream. If a caller sends the token of an account, the gateway calls the upstream
   * for that account. Without `grants`, the id of the account is also the label of the caller's grant. A
   * caller without a token then has the grant `default`, and unknown tokens are refused. Default: no
   * accounts.
   */
  accounts?: UpstreamAccounts
  /**
   * Headers that are added to each request to the upstream, as `Name: value`. One of them is usually the
   * credential for the upstream.
   */
  upstreamHeaders?: readonly string[]
  /** Names of additional headers that the gateway passes from the caller to the upstream. */
  passHeaders?: readonly string[]
  /**
   * How the gateway treats the header `X-Safebot-Handle` and the parameter `?handle=`. `pass` passes them on,
   * `drop` removes them, and `grant` sets the header to the label of the grant. Default `pass`.
   */
  handle?: HandlePolicy
  /**
   * The wording of denials: `understudy` for the wording of this project, or the name of a product. Default
   * `understudy`.
   */
  denialText?: DenialText
  /**
   * Maximum time for which a call waits for its approval, in milliseconds of the clock, at most ten minutes.
   * Default 0: the call is denied immediately, and the denial names the approval. A call that needs an
   * approval by `require_approval` never waits.
   */
  approvalHoldMs?: number
  /**
   * The port on which a person lists and decides approvals over HTTP. 0 selects a free port. Agents must not
   * be able to reach this port. Default: no port. Approvals can then be decided only through this process.
   */
  approvalPort?: number
  /** The file to which the gateway appends the entries of the audit, one JSON object a line. */
  auditFile?: string
  /**
   * The clock for rate windows, approvals and timestamps. If the upstream is an instance in this process,
   * pass the clock of that instance. Default: a real clock.
   */
  clock?: Clock
  /** The source of ids. Default: random ids. */
  ids?: IdSource
  /** The log. Default: silent. */
  log?: Log
}
