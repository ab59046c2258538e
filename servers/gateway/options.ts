import type { Clock } from '../../shared/clock/clock.js'
import type { IdSource } from '../../shared/ids.js'
import type { ListenOptions } from '../../shared/mcp/http/serve.js'
import type { Log } from '../../shared/util/log.js'
import type { PolicyEngine } from './policy/model.js'

/** What becomes of the name that a caller of Safebot gives itself: passed on, dropped, or set to the label of its grant. */
export type HandlePolicy = 'pass' | 'drop' | 'grant'

export const HANDLE_POLICIES = ['pass', 'drop', 'grant'] as const

/** How long an approval may be decided and used. */
export const APPROVAL_TTL_MS = 10 * 60_000

/** A policy: the file that it stands in, or what decides by it. */
export type PolicySource = string | PolicyEngine

/** Somebody who may call, by the bearer it shows. Without a policy, every call of it is denied. */
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

export interface GatewayOptions extends ListenOptions {
  /** What calls are held to; of no use, and needless, where `grants` have their own. */
  policy?: PolicySource
  /** The URL of an MCP endpoint, or a program to start. */
  upstream: string | CommandUpstream
  /** What chooses the port on the command line, for an error to name. Default `--port`. */
  portOption?: string
  /** False serves no HTTP: for a client on stdio alone. Default true. */
  http?: boolean
  /** Those who may call. Default: everybody, as one grant called `default`. */
  grants?: readonly GrantOptions[]
  /** `Name: value`: what the upstream gets with each request, its credential above all. */
  upstreamHeaders?: readonly string[]
  /** Names of further headers of a caller to pass on. */
  passHeaders?: readonly string[]
  /** What becomes of `X-Safebot-Handle` and `?handle=`. Default `pass`. */
  handle?: HandlePolicy
  /**
   * How long a call that needs an approval is held for it, by the clock. More than ten minutes are ten: an
   * approval is over by then. Default 0: it is refused at once, with the approval's id.
   */
  approvalHoldMs?: number
  /**
   * A port on which approvals are listed and decided, 0 for a free one: not for agents. Default: none; they
   * are decided in process.
   */
  approvalPort?: number
  /** Appends the audit here, as JSON lines. */
  auditFile?: string
  /**
   * What rate windows, approvals and stamps go by: the instance's, where the upstream is in this process.
   * Default: a real one.
   */
  clock?: Clock
  /** Default: random. */
  ids?: IdSource
  /** Default: silent. */
  log?: Log
}
