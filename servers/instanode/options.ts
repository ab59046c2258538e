import type { ContractName } from '../../shared/contract.js'
import type { ListenOptions } from '../../shared/mcp/http/serve.js'
import type { World } from '../../shared/world/world.js'
import type { DatabasesOptions } from './databases/open-databases.js'
import type { InstanodeHostility } from './hostile.js'
import type { RequestLimit } from './limits.js'

/**
 * Beginning of the receive URLs of a server without a port. It is the default address of Instanode in
 * `understudy up`.
 */
export const DEFAULT_BASE = 'http://127.0.0.1:4801'

/** The identity of a client on stdio. */
export interface StdioIdentity {
  /** The account token of the client. Undefined: the client is anonymous. */
  token?: string | undefined
}

export interface InstanodeOptions extends DatabasesOptions {
  /** The contract that the stand-in follows. Default `documented`. */
  contract?: ContractName
  /** The MCP revisions that the server supports: a list, or one string with commas. Default: all. */
  protocol?: string | readonly string[]
  /**
   * Limit of the HTTP requests of one address. `none` switches the limit off. Default: the limit of the
   * contract.
   */
  requestLimit?: RequestLimit | 'none'
  /** The hostile behaviour that an attack profile asks for. Default: none. */
  hostility?: InstanodeHostility
  /** The world that the server starts with. Default: the world named `default`. */
  world?: World
}

export interface InstanodeListenOptions extends ListenOptions {
  /** True: the port serves MCP and the HTTP API. False: the HTTP API alone. Default true. */
  mcp?: boolean
}
