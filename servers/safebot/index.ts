import type { Readable, Writable } from 'node:stream'
import type { Client } from '@modelcontextprotocol/sdk/client/index.js'
import type { ContractName } from '../../shared/contract.js'
import type { ControlledServer, Instance } from '../../shared/instance.js'
import type { McpHost } from '../../shared/mcp/host.js'
import { type ListenOptions, type Serving, serveHttp } from '../../shared/mcp/http/serve.js'
import { readRevisions } from '../../shared/mcp/revisions.js'
import { StdioConversation } from '../../shared/mcp/stdio.js'
import type { Records } from '../../shared/records/records.js'
import { defined } from '../../shared/util/defined.js'
import { DEFAULT_WORLD } from '../../shared/world/default-world.js'
import { Agent, Agents, readHandle } from './callers.js'
import type { RemoteServices } from './client/index.js'
import { type Contract, contractOf } from './contract.js'
import { controlled, keysInHand } from './control.js'
import { LocalService } from './domain/local-service.js'
import { SafebotStore } from './domain/store.js'
import { LIMITS, type SafebotLimits } from './limits.js'
import { DEFAULT_BASE, type SafebotOptions, type StdioIdentity } from './options.js'
import { RoomUrls } from './room-url.js'
import { SafebotState } from './state.js'
import { createMcp } from './tools/index.js'
import type { SafebotView } from './view.js'

export type { SafebotOptions } from './options.js'

/** The parts of a server. */
interface Parts {
  instance: Instance
  contractName: ContractName
  contract: Contract
  limits: SafebotLimits
  local: LocalService
  /** The client of services in other processes. */
  remote: Remote
  agents: Agents
  /** The base of its rooms changes once, when the server listens. */
  urls: RoomUrls
  host: McpHost<Agent>
  state: SafebotState
}

/** The Safebot stand-in: one service with its tools over HTTP, stdio or in memory. */
export class Safebot {
  /** The whole state, for snapshots, restores and resets. */
  readonly state: SafebotState
  readonly #parts: Parts
  #serving: Serving | undefined
  #connections = 0

  private constructor(parts: Parts) {
    this.#parts = parts
    this.state = parts.state
  }

  /**
   * Creates a server that does not listen yet.
   *
   * @throws Refusal if the world does not exist
   */
  static async create(instance: Instance, options: SafebotOptions = {}): Promise<Safebot> {
    const safebot = new Safebot(await assemble(instance, options))
    try {
      await safebot.#shareBase(options)
      await safebot.state.alone(() => safebot.state.lay(options.world ?? DEFAULT_WORLD))
      return safebot
    } catch (error) {
      await safebot.close()
      throw error
    }
  }

  /**
   * Creates a server on an HTTP port.
   *
   * @throws Refusal if it cannot listen there, or if the world does not exist
   */
  static async listen(
    instance: Instance,
    listen: ListenOptions = {},
    options: SafebotOptions = {},
  ): Promise<{ safebot: Safebot; url: string }> {
    const safebot = new Safebot(await assemble(instance, options))
    try {
      // The world is loaded first, so that a bad world opens no port.
      await safebot.state.alone(() => safebot.state.lay(options.world ?? DEFAULT_WORLD))
      const url = await safebot.#listen(listen, options)
      return { safebot, url }
    } catch (error) {
      await safebot.close()
      throw error
    }
  }

  /** Connects an initialized SDK client in this process. */
  async connect({ handle }: { handle?: string } = {}): Promise<Client> {
    // The client half of the SDK is loaded here, because a stdio server does not need it and has to start
    // fast.
    const { connectInMemory } = await import('../../shared/mcp/memory.js')
    const headers = defined({ 'x-safebot-handle': handle })
    return connectInMemory(this.#parts.host, `memory-${++this.#connections}`, headers)
  }

  /**
   * Serves one client over a pipe.
   *
   * @param identity an invalid handle is ignored, as the real client does
   * @param onEnd called when the client has closed its end
   */
  serveStdio(
    input: Readable,
    output: Writable,
    { handle, label, folder }: StdioIdentity,
    onEnd: () => void,
  ): { flush(): Promise<void> } {
    const { host, agents, remote } = this.#parts
    const wanted = this.#handleOrOwn(handle)
    const load = async (from: string) => (await remote.services()).loadIdentity(from, wanted)
    const agent = new Agent(wanted, true, label, folder === undefined ? undefined : () => load(folder))
    agents.admit('stdio', agent)
    return new StdioConversation({ host, caller: agent, input, output, onEnd })
  }

  /** Returns the functions that a control plane calls. */
  controlled(): ControlledServer<SafebotView> {
    const { local, host, instance, contractName, urls } = this.#parts
    return controlled({
      local,
      host,
      clock: instance.clock,
      contract: contractName,
      keys: () => keysInHand(this.state.keys(), urls.keys()),
      listening: () => this.#serving?.listening,
      url: () => this.#serving?.url,
    })
  }

  /**
   * Returns the URL, with its key, of a room of the current world.
   *
   * @throws Refusal `unknown_room`
   */
  roomUrl(roomId: string): string {
    return this.#parts.urls.of(roomId, this.state.keyOf(roomId)).url
  }

  /** Answers waiting requests, then ends every conversation. */
  async close(): Promise<void> {
    const { local, remote, host } = this.#parts
    await local.close()
    await remote.close()
    // The answers of waiting requests are still in the microtask queue. They are sent first.
    await new Promise(resolve => setImmediate(resolve))
    await this.#serving?.close()
    await host.close()
  }

  async #listen(listen: ListenOptions, options: SafebotOptions): Promise<string> {
    const { instance, host, urls } = this.#parts
    this.#serving = await serveHttp({
      instance,
      host,
      name: 'safebot',
      ids: instance.ids.stream('sessions'),
      listen,
      handlers: async (url, endpoint) => {
        if (options.connect !== undefined) return { mcp: endpoint }
        if (options.base === undefined) urls.moveTo(url)
        await this.#shareBase(options)
        // Express is loaded here, because a stdio server does not need it and has to start fast.
        const { createRest } = await import('./http/index.js')
        const api = createRest({ ...this.#parts, url })
        return { mcp: endpoint, api: async () => api }
      },
    })
    return this.#serving.url
  }

  /** Shares the origin with the other replicas, so that a room's URL works at each of them. */
  async #shareBase({ connect }: SafebotOptions): Promise<void> {
    const { urls, instance } = this.#parts
    if (connect !== undefined || !instance.records.shared) return
    await shareBase(instance.records, urls.base, origin => urls.serveAlso(origin))
  }

  #handleOrOwn(handle: string | undefined): string {
    const { agents, instance } = this.#parts
    try {
      return handle === undefined ? agents.generateHandle() : readHandle(handle)
    } catch (error) {
      const own = agents.generateHandle()
      instance.log.warn(`SAFEBOT_MCP_HANDLE is passed over, the handle is ${own}`, error)
      return own
    }
  }
}

/** Loads the client of other services when it is first needed, because a stdio server has to start fast. */
class Remote {
  readonly #instance: Instance
  #services: Promise<RemoteServices> | undefined

  constructor(instance: Instance) {
    this.#instance = instance
  }

  services(): Promise<RemoteServices> {
    const { machine, ids, log } = this.#instance
    this.#services ??= import('./client/index.js').then(
      ({ RemoteServices }) => new RemoteServices({ machine, ids: ids.stream('remote'), log }),
    )
    return this.#services
  }

  async close(): Promise<void> {
    await (await this.#services)?.close()
  }
}

/** Builds the parts of a server. @throws StoreUnavailable. Refusal `bad_protocol` */
async function assemble(instance: Instance, options: SafebotOptions): Promise<Parts> {
  const revisions = readRevisions(options.protocol)
  const { contract: contractName = 'documented', hostility = {}, connect, base = DEFAULT_BASE } = options
  const { clock, records } = instance
  const contract = contractOf(contractName)
  const limits = { ...LIMITS[contractName], ...options.limits }
  const ids = instance.ids.stream('safebot')
  const store = new SafebotStore(records)
  const local = new LocalService({ store, clock, machine: instance.machine, ids, contract, limits })
  const remote = new Remote(instance)
  const agents = new Agents(ids.stream('handles'), records.shared)
  const urls = new RoomUrls(connect ?? base, options.allowedBases, connect === undefined)
  const host = await createMcp({
    instance,
    agents,
    hostility,
    revisions,
    urls,
    contract,
    serviceOf: async ({ here, base }) =>
      here ? local : (await remote.services()).at(base, urls.isNamed(base)),
  })
  const state = new SafebotState({
    instance,
    contract,
    limits,
    local,
    agents,
    releaseHeld: refusal => host.releaseHeld(refusal),
  })
  return { instance, contractName, contract, limits, local, remote, agents, urls, host, state }
}

/** Partition with the origins of all replicas. A room's URL with one of them works at all of them. */
const BASES = 'store/bases/safebot'

/** Adds this replica's origin. @param learn receives each known origin, now and later */
async function shareBase(records: Records, origin: string, learn: (origin: string) => void): Promise<void> {
  const learnAll = async () => {
    const origins = await records.transaction(BASES, tx => [...tx.table<true>('origins').keys()])
    for (const known of origins) learn(known)
  }
  records.watch(BASES, ({ own }) => {
    // If the store is unavailable now, its return reads the origins again.
    if (!own) void learnAll().catch(() => undefined)
  })
  await records.transaction(BASES, tx => {
    tx.table<true>('origins').set(origin, true)
    tx.announce()
  })
  await learnAll()
}
