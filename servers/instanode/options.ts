import type { ContractName } from '../../shared/contract.js'
import type { ListenOptions } from '../../shared/mcp/http/serve.js'
import type { World } from '../../shared/world/world.js'
import type { DatabasesOptions } from './databases/open-databases.js'
import type { InstanodeHostility } from './hostile.js'
import type { RequestLimit } from './limits.js'

/** The base of receive URLs of a server that listens nowhere: where `understudy up` has Instanode. */
export const DEFAULT_BASE = 'http://127.0.0.1:4801'

/** What the one client on a pipe brings. */
export interface StdioIdentity {
  /** The token of its account, if it has one. */
  token?: string | undefined
}

export interface InstanodeOptions extends DatabasesOptions {
  /** Default `documented`. */
  contract?: ContractName
  /** The MCP revisions to speak over HTTP and stdio: a list, or a text with commas. Default: all. */
  protocol?: string | readonly string[]
  /** How many requests to the HTTP API one address may make; `none`: any number. Default: the contract's. */
  requestLimit?: RequestLimit | 'none'
  /** What an attack profile has it do wrong. Default: nothing. */
  hostility?: InstanodeHostility
  /** What it begins with. Default: the world `default`. */
  world?: World
}

export interface InstanodeListenOptions extends ListenOptions {
  /** Whether MCP is served there too, beside the HTTP API. Default true. */
  mcp?: boolean
}
