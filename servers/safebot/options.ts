import type { ContractName } from '../../shared/contract.js'
import type { World } from '../../shared/world/world.js'
import type { SafebotHostility } from './hostile.js'
import type { SafebotLimits } from './limits.js'

/** The base of rooms made by a server that listens nowhere: where `understudy up` has Safebot. */
export const DEFAULT_BASE = 'http://127.0.0.1:4802'

/** What the one client on a pipe brings. */
export interface StdioIdentity {
  handle?: string | undefined
  /** Its label in rooms. Default: the handle. */
  label?: string | undefined
  /** Where its handle and keys are kept, and made if they are missing: `~/.config/safebot`, say. Default: nowhere. */
  folder?: string | undefined
}

export interface SafebotOptions {
  /** Default `documented`. */
  contract?: ContractName
  /** The MCP revisions to speak over HTTP and stdio: a list, or a text with commas. Default: all. */
  protocol?: string | readonly string[]
  /** Origin of the rooms made here. Default: where it listens, else {@link DEFAULT_BASE}. */
  base?: string
  /**
   * Origin of a running service to be a client of: this server then has no rooms of its own. Default: it
   * has, and is a client only where a room URL names another service that may be named.
   */
  connect?: string
  /** Further origins a room URL may name. */
  allowedBases?: readonly string[]
  /** What is to differ from the limits of the contract. */
  limits?: Partial<SafebotLimits>
  /** What an attack profile has it do wrong. Default: nothing. */
  hostility?: SafebotHostility
  /** What it begins with. Default: the world `default`. */
  world?: World
}
