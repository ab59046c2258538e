import type { Readable, Writable } from 'node:stream'
import type { Client } from '@modelcontextprotocol/sdk/client/index.js'
import { TokenBuckets } from '../../shared/clock/token-buckets.js'
import type { ContractName } from '../../shared/contract.js'
import type { HttpFace } from '../../shared/http/listener.js'
import type { ControlledInstanode, Instance } from '../../shared/instance.js'
import type { McpHost } from '../../shared/mcp/host.js'
import { type ListenOptions, type Serving, serveHttp } from '../../shared/mcp/http/serve.js'
import { StdioConversation } from '../../shared/mcp/stdio.js'
import { defined } from '../../shared/util/defined.js'
import { DEFAULT_WORLD } from '../../shared/world/default-world.js'
import type { World } from '../../shared/world/world.js'
import { callerOnPipe } from './callers.js'
import { type Contract, contractOf } from './contract.js'
import { controlled } from './control.js'
import { type Core, createCore } from './core.js'
import { type DatabasesOptions, type OpenedDatabases, openDatabases } from './databases/open-databases.js'
import type { Account, Delivery } from './domain/model.js'
import type { InstanodeHostility } from './hostile.js'
import { createRestFace, type RequestLimit } from './http/index.js'
import { REQUEST_LIMIT } from './limits.js'
import { Replicas } from './replicas.js'
import type { Caller } from './service.js'
import { InstanodeState } from './state.js'
import { openStore } from './store/open-store.js'
import { createMcp } from './tools/index.js'
import type { InstanodeView } from './view.js'

/** The base of receive URLs of a server that listens nowhere: where `understudy up` has Instanode. */
export const DEFAULT_BASE = 'http://127.0.0.1:4801'

export interface InstanodeOptions extends DatabasesOptions {
  /** Default `documented`. */
  contract?: ContractName
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

/** The setting of a store that has its world. */
const WORLD = 'instanode world'

/** What a server is put together from. */
interface Parts {
  instance: Instance
  contractName: ContractName
  contract: Contract
  core: Core
  host: McpHost<Caller>
  requestLimit: RequestLimit | undefined
  requests: TokenBuckets | undefined
  state: InstanodeState
  /** The base of receive URLs: changes once, when the server listens. */
  base: { url: string }
}

/** The Instanode stand-in: one service, whose tools are reached over HTTP, stdio or in memory. */
export class Instanode {
  readonly #instance: Instance
  readonly #contractName: ContractName
  readonly #contract: Contract
  readonly #requestLimit: RequestLimit | undefined
  readonly #requests: TokenBuckets | undefined
  /** All there is, to be taken as a whole and put back. */
  readonly state: InstanodeState
  readonly #core: Core
  readonly #host: McpHost<Caller>
  readonly #onClose: (() => Promise<void> | void)[] = []
  readonly #base: Parts['base']
  #serving: Serving | undefined
  #connections = 0

  private constructor(parts: Parts) {
    const { instance, contractName, contract, requestLimit, requests, core, host, state, base } = parts
    this.#instance = instance
    this.#contractName = contractName
    this.#contract = contract
    this.#requestLimit = requestLimit
    this.#requests = requests
    this.state = state
    this.#core = core
    this.#host = host
    this.#base = base
  }

  /**
   * A server that listens nowhere yet.
   *
   * @throws Refusal if there can be no databases, or no such world
   */
  static async create(instance: Instance, options: InstanodeOptions = {}): Promise<Instanode> {
    const instanode = await Instanode.#assemble(instance, options)
    await instanode.#begin(options.world)
    return instanode
  }

  static async #assemble(instance: Instance, options: InstanodeOptions): Promise<Instanode> {
    const { databases, close } = await openDatabases(instance, options)
    try {
      return await Instanode.#assembleOn(instance, options, { databases, close })
    } catch (error) {
      await close()
      throw error
    }
  }

  static async #assembleOn(
    instance: Instance,
    options: InstanodeOptions,
    { databases, close }: OpenedDatabases,
  ): Promise<Instanode> {
    const opened = await openStore(instance, options.hostility)
    const { contract: contractName = 'documented' } = options
    const contract = contractOf(contractName)
    const { requestLimit = contract.limitsRequests ? REQUEST_LIMIT : 'none' } = options
    // What creates receivers is made before it is known where they can be reached.
    const base = { url: DEFAULT_BASE }
    const receiveUrl = (token: string) => `${base.url}/webhook/receive/${token}`
    const core = createCore(instance, contract, databases, receiveUrl, opened, options.hostility)
    const { service, accounts } = core
    const host = await createMcp(instance, {
      service,
      contract,
      nameOf: ({ bearer }) => accounts.nameOf(bearer),
    })
    const limit = requestLimit === 'none' ? undefined : requestLimit
    const requests =
      limit && new TokenBuckets({ clock: instance.clock, capacity: limit.atOnce, perSecond: limit.perSecond })
    const state = new InstanodeState({
      instance,
      contract,
      core,
      databases,
      requests,
      receiveUrl,
      releaseHeld: refusal => host.releaseHeld(refusal),
    })
    const instanode = new Instanode({
      instance,
      contractName,
      contract,
      core,
      host,
      base,
      requests,
      state,
      requestLimit: limit,
    })
    instanode.#onClose.push(close)
    return instanode
  }

  /**
   * A server on an HTTP port.
   *
   * @throws Refusal if it cannot listen there, if there can be no databases, or no such world
   */
  static async listen(
    instance: Instance,
    listen: InstanodeListenOptions = {},
    options: InstanodeOptions = {},
  ): Promise<{ instanode: Instanode; url: string }> {
    const { host: databaseHost } = listen
    const instanode = await Instanode.#assemble(instance, {
      ...defined({ databaseHost }),
      ...options,
    })
    try {
      // Where receivers are reached is known once it listens. Who calls sooner than the world is in place waits for it.
      const url = await instanode.state.alone(async () => {
        const url = await instanode.#listen(listen)
        await instanode.#place(options.world)
        return url
      })
      return { instanode, url }
    } catch (error) {
      await instanode.close()
      throw error
    }
  }

  /** An SDK client in this process, initialized. `address` is where it calls from, for the daily cap. */
  async connect({ token, address }: { token?: string; address?: string } = {}): Promise<Client> {
    // The client half of the SDK is of no use to a stdio server, which has to start fast.
    const { connectInMemory } = await import('../../shared/mcp/memory.js')
    return connectInMemory(this.#host, `memory-${++this.#connections}`, {
      ...(token !== undefined && { authorization: `Bearer ${token}` }),
      ...(address !== undefined && { 'x-forwarded-for': address }),
    })
  }

  /**
   * Serves one client over a pipe.
   *
   * @param identity the account token the client brings, if any
   * @param onEnd the client has closed its end
   */
  serveStdio(
    input: Readable,
    output: Writable,
    { token }: { token?: string | undefined },
    onEnd: () => void,
  ): { flush(): Promise<void> } {
    const caller = callerOnPipe(token)
    return new StdioConversation({ host: this.#host, caller, input, output, onEnd })
  }

  /** The accounts there are. */
  accounts(): Promise<Account[]> {
    return this.#core.accounts.all()
  }

  /** What a receiver has taken, the newest first. */
  deliveries(token: string): Promise<Delivery[]> {
    return this.#core.receivers.deliveries(token)
  }

  /** Calls `listener` for every delivery from now on, until the returned function is called. */
  onDelivery(listener: (token: string, delivery: Delivery) => void): () => void {
    return this.#core.receivers.onDelivery(listener)
  }

  /** As a control plane shows and changes it. */
  controlled(): ControlledInstanode<InstanodeView> {
    return controlled({
      core: this.#core,
      host: this.#host,
      clock: this.#instance.clock,
      contract: this.#contractName,
      listening: () => this.#serving?.listening,
      url: () => this.#serving?.url,
    })
  }

  /** Ends every conversation, and the databases with it that are this server's own. */
  async close(): Promise<void> {
    await this.#core.reaper.stop()
    for (const close of this.#onClose.toReversed()) await close()
    await this.#host.close()
    await this.#core.store.close()
  }

  async #begin(world: World | undefined): Promise<void> {
    try {
      await this.state.alone(() => this.#place(world))
    } catch (error) {
      await this.close()
      throw error
    }
  }

  /** Of several replicas the first lays the world; the others begin with what there is. */
  async #place(world = DEFAULT_WORLD): Promise<void> {
    const { store } = this.#instance
    if (store === undefined) return this.#lay(world)
    const replicas = await Replicas.join({
      instance: this.#instance,
      store,
      core: this.#core,
      state: this.state,
    })
    this.#onClose.push(() => replicas.close())
    await store.alone('instanode world', async () => {
      if ((await store.known(WORLD)) !== undefined) return this.state.adopt()
      await this.#lay(world)
      await store.changeSetting(WORLD, { laidBy: this.#instance.name, at: this.#instance.clock.now() })
    })
  }

  async #lay(world: World): Promise<void> {
    const kept = await this.state.begin(world, this.#instance.clock.now())
    await kept.prepare()
    await kept.place()
  }

  async #listen({ mcp = true, ...listen }: InstanodeListenOptions): Promise<string> {
    const serving = await serveHttp({
      instance: this.#instance,
      host: this.#host,
      name: 'instanode',
      ids: this.#instance.ids.stream('instanode sessions'),
      listen,
      faces: async (url, endpoint) => {
        this.#base.url = url
        const rest = this.#createRest(url)
        return { mcp: mcp ? endpoint : rest, rest }
      },
    })
    this.#serving = serving
    this.#onClose.push(() => serving.close())
    return serving.url
  }

  #createRest(url: string): HttpFace {
    return createRestFace({
      instance: this.#instance,
      core: this.#core,
      contract: this.#contract,
      requestLimit: this.#requestLimit,
      requests: this.#requests,
      url,
    })
  }
}
