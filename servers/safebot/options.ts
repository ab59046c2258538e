import type { ContractName } from '../../shared/contract.js'
import type { World } from '../../shared/world/world.js'
import type { SafebotHostility } from './hostile.js'
import type { SafebotLimits } from './limits.js'

/** Base of rooms if the server does not listen. It is Safebot's address in `understudy up`. */
export const DEFAULT_BASE = 'http://127.0.0.1:4802'

/** The identity of the client on a pipe. */
export interface StdioIdentity {
  handle?: string | undefined
  /** Its label in rooms. Default: the handle. */
  label?: string | undefined
  /**
   * Folder of the handle and its keys, such as `~/.config/safebot`. They are created if they are missing.
   * Default: none.
   */
  folder?: string | undefined
}

export interface SafebotOptions {
  /** Default `documented`. */
  contract?: ContractName
  /** The MCP revisions to speak over HTTP and stdio: a list, or a text with commas. Default: all. */
  protocol?: string | readonly string[]
  /** Origin of the rooms created here. Default: the server's own address, or {@link DEFAULT_BASE}. */
  base?: string
  /**
   * Origin of a running service. The server is then a client of it and has no rooms. Default: it has rooms,
   * and is a client only for room URLs that name another allowed service.
   */
  connect?: string
  /** Further origins that a room URL may name. */
  allowedBases?: readonly string[]
  /** Changes to the limits of the contract. */
  limits?: Partial<SafebotLimits>
  /** The hostile behaviour of an attack profile. Default: none. */
  hostility?: SafebotHostility
  /** The world at the start. Default: the world `default`. */
  world?: World
}
