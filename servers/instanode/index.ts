import type { Readable, Writable } from 'node:stream'
import type { Client } from '@modelcontextprotocol/sdk/client/index.js'
import { TokenBuckets } from '../../shared/clock/token-buckets.js'
import type { ContractName } from '../../shared/contract.js'
import type { ControlledInstanode, Instance } from '../../shared/instance.js'
import type { McpHost } from '../../shared/mcp/host.js'
import { type Serving, serveHttp } from '../../shared/mcp/http/serve.js'
import { readRevisions } from '../../shared/mcp/revisions.js'
import { StdioConversation } from '../../shared/mcp/stdio.js'
import { defined } from '../../shared/util/objects.js'
import { DEFAULT_WORLD } from '../../shared/world/default-world.js'
import { callerOnPipe } from './callers.js'
import { type Contract, contractOf } from './contract.js'
import { controlled } from './control.js'
import { type OpenedDatabases, openDatabases } from './databases/open-databases.js'
import { LocalService, type ServiceStore } from './domain/local-service.js'
import type { Account, Delivery } from './domain/model.js'
import { InstanodeStore } from './domain/store.js'
import { hostileService, type InstanodeHostility, tokenSecret } from './hostile.js'
import { REQUEST_LIMIT, type RequestLimit } from './limits.js'
import {
  DEFAULT_BASE,
  type InstanodeListenOptions,
  type InstanodeOptions,
  type StdioIdentity,
} from './options.js'
import type { Caller, InstanodeService } from './service.js'
import { InstanodeState } from './state.js'
import { createMcp } from './tools/index.js'
import type { InstanodeView } from './view.js'

export type { InstanodeOptions } from './options.js'

/** The objects that one Instanode server consists of. */
interface Parts {
  instance: Instance
  contractName: ContractName
  contract: Contract
  local: LocalService
  /**
   * The service that callers reach. It is `local`, or the hostile service of an attack profile, which calls
   * `local`.
   */
  service: InstanodeService
  host: McpHost<Caller>
  state: InstanodeState
  requestLimit: RequestLimit | undefined
  requests: TokenBuckets | undefined
  /** The beginning of every receive URL. It changes once, when the server opens its port. */
  base: { url: string }
  /** Closes the databases if this server opened them. */
  closeDatabases: OpenedDatabases['close']
}

/** The Instanode stand-in: one service, and its tools over HTTP, over stdio or in memory. */
export class Instanode {
  /** Copies and replaces the whole state, for snapshots, restores and resets. */
  readonly state: InstanodeState
  readonly #parts: Parts
  #serving: Serving | undefined
  #connections = 0

  private constructor(parts: Parts) {
    this.#parts = parts
    this.state = parts.state
  }

  /**
   * Creates a server without a port.
   *
   * @throws Refusal if the databases cannot be opened or the world cannot be loaded
   */
  static async create(instance: Instance, options: InstanodeOptions = {}): Promise<Instanode> {
    const instanode = new Instanode(await assemble(instance, options))
    try {
      await instanode.state.alone(() => instanode.state.loadWorld(options.world ?? DEFAULT_WORLD))
      return instanode
    } catch (error) {
      await instanode.close()
      throw error
    }
  }

  /**
   * Creates a server on an HTTP port.
   *
   * @returns the server and its URL, `http://host:port`
   * @throws Refusal if the port cannot be opened, the databases cannot be opened or the world cannot be
   *   loaded
   */
  static async listen(
    instance: Instance,
    listen: InstanodeListenOptions = {},
    options: InstanodeOptions = {},
  ): Promise<{ instanode: Instanode; url: string }> {
    const databaseHost = defined({ databaseHost: listen.host })
    const instanode = new Instanode(await assemble(instance, { ...databaseHost, ...options }))
    try {
      // Receive URLs contain the port, so the port is opened before the world creates receivers. The
      // exclusive lock lets a request that arrives earlier wait until the world is loaded.
      const url = await instanode.state.alone(async () => {
        const url = await instanode.#listen(listen)
        await instanode.state.loadWorld(options.world ?? DEFAULT_WORLD)
        return url
      })
      return { instanode, url }
    } catch (error) {
      await instanode.close()
      throw error
    }
  }

  /**
   * Connects an MCP client in this process.
   *
   * @param token the account token of the client. Default: the client is anonymous.
   * @param address IP address of the client, by which the daily cap counts. Default: the address of this
   *   machine.
   * @returns an initialized client of the MCP SDK
   */
  async connect({ token, address }: { token?: string; address?: string } = {}): Promise<Client> {
    // The client part of the SDK is loaded here and not at the start,
    // because a stdio server does not need this part and must start fast.
    const { connectInMemory } = await import('../../shared/mcp/memory.js')
    const authorization = token === undefined ? undefined : `Bearer ${token}`
    const headers = defined({ authorization, 'x-forwarded-for': address })
    return connectInMemory(this.#parts.host, `memory-${++this.#connections}`, headers)
  }

  /**
   * Serves one client over a pipe.
   *
   * @param identity the account token of the client, if it has one
   * @param onEnd called when the client has closed its side of the pipe
   * @returns an object whose `flush` resolves when all answers are written
   */
  serveStdio(
    input: Readable,
    output: Writable,
    { token }: StdioIdentity,
    onEnd: () => void,
  ): { flush(): Promise<void> } {
    const { host } = this.#parts
    return new StdioConversation({ host, caller: callerOnPipe(token), input, output, onEnd })
  }

  /** Returns all accounts. */
  accounts(): Promise<Account[]> {
    return this.#parts.local.store.accounts()
  }

  /**
   * Finds the account of a bearer token, for a gateway that calls as this account.
   *
   * @returns the account's id and another valid token of the account. Undefined if the bearer token is not
   *   valid.
   */
  delegate(bearer: string): Promise<{ id: string; credential: string } | undefined> {
    return this.#parts.local.delegate(bearer)
  }

  /** Returns the stored deliveries of a receiver, the newest first. */
  deliveries(token: string): Promise<Delivery[]> {
    return this.#parts.local.store.deliveries(token)
  }

  /** Calls `listener` for every delivery from now on, until the returned function is called. */
  onDelivery(listener: (token: string, delivery: Delivery) => void): () => void {
    return this.#parts.local.receivers.onDelivery(listener)
  }

  /** Returns the functions that the control plane calls on this server. */
  controlled(): ControlledInstanode<InstanodeView> {
    const { local, host, instance, contractName } = this.#parts
    return controlled({
      local,
      host,
      clock: instance.clock,
      contract: contractName,
      listening: () => this.#serving?.listening,
      url: () => this.#serving?.url,
    })
  }

  /** Ends every MCP conversation, closes the port, and closes the databases if this server opened them. */
  async close(): Promise<void> {
    const { local, host, closeDatabases } = this.#parts
    await local.reaper.stop()
    this.state.close()
    await this.#serving?.close()
    await closeDatabases()
    await host.close()
  }

  async #listen({ mcp = true, ...listen }: InstanodeListenOptions): Promise<string> {
    const { instance, host, base } = this.#parts
    this.#serving = await serveHttp({
      instance,
      host,
      name: 'instanode',
      ids: instance.ids.stream('instanode sessions'),
      listen,
      handlers: async (url, endpoint) => {
        base.url = url
        const api = async () => (await import('./http/index.js')).createRest({ ...this.#parts, url })
        return { api, ...(mcp && { mcp: endpoint }) }
      },
    })
    return this.#serving.url
  }
}

/**
 * Opens the databases and creates the parts of a server.
 *
 * @throws Refusal if the databases cannot be opened or an MCP revision in the options is unknown
 */
async function assemble(instance: Instance, options: InstanodeOptions): Promise<Parts> {
  const opened = await openDatabases(instance, options)
  try {
    return await assembleOn(opened, instance, options)
  } catch (error) {
    await opened.close()
    throw error
  }
}

async function assembleOn(
  { databases, close }: OpenedDatabases,
  instance: Instance,
  options: InstanodeOptions,
): Promise<Parts> {
  const { contract: contractName = 'documented', hostility = {} } = options
  const { clock, machine, ids, log } = instance
  const revisions = readRevisions(options.protocol)
  const contract = contractOf(contractName)
  // The real URL is known after the port is open. Until then the URLs of receivers begin with the default.
  const base = { url: DEFAULT_BASE }
  const receiveUrl = (token: string) => `${base.url}/webhook/receive/${token}`
  const local = new LocalService({
    ...(await openStore(instance, hostility)),
    databases,
    clock,
    machine,
    ids: ids.stream('instanode'),
    contract,
    log,
    receiveUrl,
  })
  const service = hostileService(local, hostility)
  const nameOf = ({ bearer }: Caller) => local.accounts.nameOf(bearer)
  const host = await createMcp({ instance, revisions, service, contract, nameOf })
  const { requestLimit: limit = contract.limitsRequests ? REQUEST_LIMIT : 'none' } = options
  const requestLimit = limit === 'none' ? undefined : limit
  const requests =
    requestLimit &&
    new TokenBuckets({ clock, capacity: requestLimit.atOnce, perSecond: requestLimit.perSecond })
  const state = new InstanodeState({
    instance,
    contract,
    local,
    requests,
    receiveUrl,
    releaseHeld: refusal => host.releaseHeld(refusal),
  })
  return {
    instance,
    contractName,
    contract,
    local,
    service,
    host,
    state,
    requestLimit,
    requests,
    base,
    closeDatabases: close,
  }
}

/**
 * Opens the store of an instance and reads the values that all replicas must share.
 *
 * @throws StoreUnavailable
 */
async function openStore(
  { records, ids, clock }: Instance,
  hostility: InstanodeHostility,
): Promise<ServiceStore> {
  const store = new InstanodeStore(records)
  const ticksFrom = await store.agree('ticks', clock.now())
  const ownSecret = tokenSecret(ids.stream('instanode'), hostility)
  if (hostility.tokenIssuer !== undefined) return { store, secret: ownSecret, ticksFrom }
  const secret = await store.agree('token secret', ownSecret.toString('base64'))
  return { store, secret: Buffer.from(secret, 'base64'), ticksFrom }
}
