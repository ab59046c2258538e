import type { Clock } from '../../shared/clock/clock.js'
import type { IdSource } from '../../shared/ids.js'
import type { ListenOptions } from '../../shared/mcp/http/serve.js'
import type { Log } from '../../shared/util/log.js'
import type { DialectVersion } from './policy/dialect-version.js'
import type { PolicyEngine } from './policy/model.js'

/** Passes or drops the name that a caller of Safebot gives itself, or sets it to the label of its grant. */
export type HandlePolicy = 'pass' | 'drop' | 'grant'

export const HANDLE_POLICIES = ['pass', 'drop', 'grant'] as const

/** How denials are worded: in this project's words, or as a product words them. */
export const DENIAL_TEXTS = ['understudy', 'intercept', 'policylayer'] as const

export type DenialText = (typeof DENIAL_TEXTS)[number]

/** How long an approval may be decided and used, unless its rule says otherwise. */
export const APPROVAL_TTL_MS = 10 * 60_000

/** A policy: its file, or an engine that decides by it. */
export type PolicySource = string | PolicyEngine

/** A caller, known by its bearer. Without a policy, every call of it is denied. */
export interface GrantOptions {
  label: string
  token: string
  policy?: PolicySource
}

/** A program to start, which speaks MCP on its pipes. */
export interface CommandUpstream {
  command: readonly [program: string, ...args: string[]]
  /** Default: that of this process. */
  env?: NodeJS.ProcessEnv
}

/** The accounts of an upstream in this process. A gateway in front of it knows callers by their tokens. */
export interface UpstreamAccounts {
  /**
   * Finds the account that a bearer proves.
   *
   * @returns its id, and a credential of the gateway's own with which it calls as that account. Undefined if the bearer proves nothing
   */
  find(bearer: string): Promise<{ readonly id: string; readonly credential: string } | undefined>
}

export interface GatewayOptions extends ListenOptions {
  /** The policy of all callers. `grants` may have their own. */
  policy?: PolicySource
  /** The published version of Intercept's language by which policies are read. Default: the newest. */
  dialect?: DialectVersion
  /** The URL of an MCP endpoint, or a program to start. */
  upstream: string | CommandUpstream
  /** The option that chooses the port on the command line, for error messages. Default `--port`. */
  portOption?: string
  /** False serves no HTTP: for a client on stdio alone. Default true. */
  http?: boolean
  /** The callers. Default: every caller is the one grant `default`. */
  grants?: readonly GrantOptions[]
  /**
   * The accounts of the upstream. A caller with the token of one reaches the upstream as that account. Without `grants` it is
   * also the grant of that name, a caller without a token is `default`, and other tokens are refused. Default: none.
   */
  accounts?: UpstreamAccounts
  /** `Name: value`: headers for each request to the upstream, its credential above all. */
  upstreamHeaders?: readonly string[]
  /** Names of further headers of a caller to pass on. */
  passHeaders?: readonly string[]
  /** Passes, drops or sets `X-Safebot-Handle` and `?handle=`. Default `pass`. */
  handle?: HandlePolicy
  /** How denials are worded: in this project's words, or as a product words them. Default `understudy`. */
  denialText?: DenialText
  /**
   * How long a call that needs an approval is held for it, in milliseconds of the clock, ten minutes at most. Default 0: it is
   * refused at once, with the approval's id. A call that Intercept's `require_approval` concerns is never held.
   */
  approvalHoldMs?: number
  /**
   * A port on which approvals are listed and decided, 0 for a free one. Agents must not reach it. Default: none, and approvals
   * are decided in process.
   */
  approvalPort?: number
  /** Appends the audit here, as JSON lines. */
  auditFile?: string
  /**
   * The clock of rate windows, approvals and stamps: the instance's, if the upstream is in this process. Default: a real one.
   */
  clock?: Clock
  /** Default: random. */
  ids?: IdSource
  /** Default: silent. */
  log?: Log
}
