import type { ContractName } from '../../shared/contract.js'
import type { ListenOptions } from '../../shared/mcp/http/serve.js'
import type { World } from '../../shared/world/world.js'
import type { DatabasesOptions } from './databases/open-databases.js'
import type { InstanodeHostility } from './hostile.js'
import type { RequestLimit } from './limits.js'

/** Base of receive URLs if the server does not listen. It is Instanode's address in `understudy up`. */
export const DEFAULT_BASE = 'http://127.0.0.1:4801'

/** The identity of the client on a pipe. */
export interface StdioIdentity {
  /** The token of its account, if it has one. */
  token?: string | undefined
}

export interface InstanodeOptions extends DatabasesOptions {
  /** Default `documented`. */
  contract?: ContractName
  /** The MCP revisions to speak over HTTP and stdio: a list, or a text with commas. Default: all. */
  protocol?: string | readonly string[]
  /** Request limit of the HTTP API for one address. `none`: no limit. Default: the contract's. */
  requestLimit?: RequestLimit | 'none'
  /** The hostile behaviour of an attack profile. Default: none. */
  hostility?: InstanodeHostility
  /** The world at the start. Default: the world `default`. */
  world?: World
}

export interface InstanodeListenOptions extends ListenOptions {
  /** Whether the port also serves MCP, beside the HTTP API. Default true. */
  mcp?: boolean
}
