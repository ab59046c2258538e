import type { ContractName } from '../../shared/contract.js'
import type { World } from '../../shared/world/world.js'
import type { SafebotHostility } from './hostile.js'
import type { SafebotLimits } from './limits.js'

/**
 * Origin of new rooms while the server does not listen. It is Safebot's default address in `understudy up`.
 */
export const DEFAULT_BASE = 'http://127.0.0.1:4802'

/** The identity of the client on stdio. */
export interface StdioIdentity {
  /** Default: a generated handle. */
  handle?: string | undefined
  /** Label of the client in rooms. Default: the handle. */
  label?: string | undefined
  /**
   * Folder with the permanent handle and its keys, such as `~/.config/safebot`. Missing files are created.
   * Default: the identity ends with the process.
   */
  folder?: string | undefined
}

/** The options of a Safebot server. */
export interface SafebotOptions {
  /** Default: `documented`. */
  contract?: ContractName
  /**
   * The MCP revisions that the server accepts over HTTP and stdio: a list, or a text with commas. Default:
   * all.
   */
  protocol?: string | readonly string[]
  /**
   * Origin of new rooms. Default: the server's address, or {@link DEFAULT_BASE} if the server does not
   * listen.
   */
  base?: string
  /**
   * Origin of a running service. The server then has no rooms, and its tools use that service. Default: the
   * server has rooms. Its tools use another service only for a room URL that names it.
   */
  connect?: string
  /** Further origins that a room URL may name. Ports of this machine are always allowed. */
  allowedBases?: readonly string[]
  /** Limits that replace those of the contract. */
  limits?: Partial<SafebotLimits>
  /** The hostile behaviour of an attack profile. Default: none. */
  hostility?: SafebotHostility
  /** The state that the server starts with. Default: the world `default`. */
  world?: World
}
