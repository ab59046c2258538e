import type { Readable, Writable } from 'node:stream'
import type { Client } from '@modelcontextprotocol/sdk/client/index.js'
import type { ContractName } from '../../shared/contract.js'
import type { ControlledServer, Instance } from '../../shared/instance.js'
import type { McpHost } from '../../shared/mcp/host.js'
import { type ListenOptions, type Serving, serveHttp } from '../../shared/mcp/http/serve.js'
import { readRevisions } from '../../shared/mcp/revisions.js'
import { StdioConversation } from '../../shared/mcp/stdio.js'
import type { Records } from '../../shared/records/records.js'
import { defined } from '../../shared/util/objects.js'
import { DEFAULT_WORLD } from '../../shared/world/default-world.js'
import { Agent, Agents, readHandle } from './callers.js'
import type { RemoteServices } from './client/index.js'
import { type Contract, contractOf } from './contract.js'
import { controlled, knownKeys } from './control.js'
import { LocalService } from './domain/local-service.js'
import { SafebotStore } from './domain/store.js'
import { LIMITS, type SafebotLimits } from './limits.js'
import { DEFAULT_BASE, type SafebotOptions, type StdioIdentity } from './options.js'
import { RoomUrls } from './room-url.js'
import { SafebotState } from './state.js'
import { createMcp } from './tools/index.js'
import type { SafebotView } from './view.js'

export type { SafebotOptions } from './options.js'

/** The parts of a Safebot server. */
interface Parts {
  instance: Instance
  contractName: ContractName
  contract: Contract
  limits: SafebotLimits
  local: LocalService
  /** The clients of services in other processes. */
  remote: LazyRemoteServices
  agents: Agents
  /** Room URLs. The origin of new rooms changes once, when the server begins to listen. */
  urls: RoomUrls
  host: McpHost<Agent>
  state: SafebotState
}

/** The Safebot stand-in: the service, and its tools over HTTP, on stdio or in memory. */
export class Safebot {
  /** The state, for snapshots, restores and resets. */
  readonly state: SafebotState
  readonly #parts: Parts
  #serving: Serving | undefined
  #connections = 0

  private constructor(parts: Parts) {
    this.#parts = parts
    this.state = parts.state
  }

  /**
   * Creates a server without an HTTP port.
   *
   * @throws Refusal `bad_world`, `bad_protocol` or `store_unavailable`
   */
  static async create(instance: Instance, options: SafebotOptions = {}): Promise<Safebot> {
    const safebot = new Safebot(await assemble(instance, options))
    try {
      await safebot.#shareOrigin(options)
      await safebot.state.alone(() => safebot.state.loadWorld(options.world ?? DEFAULT_WORLD))
      return safebot
    } catch (error) {
      await safebot.close()
      throw error
    }
  }

  /**
   * Creates a server that listens on an HTTP port.
   *
   * @throws Refusal `bad_world`, `bad_protocol` or `store_unavailable`, or if the server cannot listen
   */
  static async listen(
    instance: Instance,
    listen: ListenOptions = {},
    options: SafebotOptions = {},
  ): Promise<{ safebot: Safebot; url: string }> {
    const safebot = new Safebot(await assemble(instance, options))
    try {
      // The world is loaded before the port is opened, so that a bad world opens no port.
      await safebot.state.alone(() => safebot.state.loadWorld(options.world ?? DEFAULT_WORLD))
      const url = await safebot.#listen(listen, options)
      return { safebot, url }
    } catch (error) {
      await safebot.close()
      throw error
    }
  }

  /**
   * Returns an SDK client that is connected in memory and initialized.
   *
   * @param handle default: a generated handle
   */
  async connect({ handle }: { handle?: string } = {}): Promise<Client> {
    // Loaded only here, because a stdio server must start fast and does not need the SDK's client.
    const { connectInMemory } = await import('../../shared/mcp/memory.js')
    const headers = defined({ 'x-safebot-handle': handle })
    return connectInMemory(this.#parts.host, `memory-${++this.#connections}`, headers)
  }

  /**
   * Serves one client on stdio.
   *
   * @param identity the identity of the client. As in the real client, an invalid handle is ignored.
   * @param onEnd called when the client has closed its end
   * @returns `flush` resolves when all answers have been written
   */
  serveStdio(
    input: Readable,
    output: Writable,
    { handle, label, folder }: StdioIdentity,
    onEnd: () => void,
  ): { flush(): Promise<void> } {
    const { host, agents, remote } = this.#parts
    const ownHandle = this.#handleOrGenerated(handle)
    const load = async (from: string) => (await remote.services()).loadIdentity(from, ownHandle)
    const agent = new Agent(ownHandle, true, label, folder === undefined ? undefined : () => load(folder))
    agents.add('stdio', agent)
    return new StdioConversation({ host, caller: agent, input, output, onEnd })
  }

  /** Returns the functions of this server that a control plane calls. */
  controlled(): ControlledServer<SafebotView> {
    const { local, host, instance, contractName, urls } = this.#parts
    return controlled({
      local,
      host,
      clock: instance.clock,
      contract: contractName,
      keys: () => knownKeys(this.state.keys(), urls.keys()),
      listening: () => this.#serving?.listening,
      url: () => this.#serving?.url,
    })
  }

  /**
   * Returns the URL of a room of the current world, with its key.
   *
   * @throws Refusal `unknown_room`
   */
  roomUrl(roomId: string): string {
    return this.#parts.urls.localRoom(roomId, this.state.keyOf(roomId)).url
  }

  /** Ends waiting requests with `shutting_down`, then closes the HTTP port and every conversation. */
  async close(): Promise<void> {
    const { local, remote, host } = this.#parts
    await local.close()
    await remote.close()
    // Sends the answers of the waiting requests, which are still in the microtask queue.
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
        if (options.base === undefined) urls.setBase(url)
        await this.#shareOrigin(options)
        // Loaded only here, because a stdio server must start fast and does not need Express.
        const { createRest } = await import('./http/index.js')
        const api = createRest({ ...this.#parts, url })
        return { mcp: endpoint, api: async () => api }
      },
    })
    return this.#serving.url
  }

  /** Exchanges origins with the other replicas, so that a room URL of one replica works at all of them. */
  async #shareOrigin({ connect }: SafebotOptions): Promise<void> {
    const { urls, instance } = this.#parts
    if (connect !== undefined || !instance.records.shared) return
    await shareOrigin(instance.records, urls.base, origin => urls.addReplicaOrigin(origin))
  }

  /**
   * Returns a handle in canonical form. Generates one if it is missing or invalid, and warns of an invalid
   * one.
   */
  #handleOrGenerated(handle: string | undefined): string {
    const { agents, instance } = this.#parts
    try {
      return handle === undefined ? agents.generateHandle() : readHandle(handle)
    } catch (error) {
      const generated = agents.generateHandle()
      instance.log.warn(`SAFEBOT_MCP_HANDLE is ignored, the handle is ${generated}`, error)
      return generated
    }
  }
}

/**
 * Loads the client code for other services when it is first needed, because a stdio server must start fast.
 */
class LazyRemoteServices {
  readonly #instance: Instance
  #services: Promise<RemoteServices> | undefined

  constructor(instance: Instance) {
    this.#instance = instance
  }

  /** Returns the clients. The first call loads the code. */
  services(): Promise<RemoteServices> {
    const { machine, ids, log } = this.#instance
    this.#services ??= import('./client/index.js').then(
      ({ RemoteServices }) => new RemoteServices({ machine, ids: ids.stream('remote'), log }),
    )
    return this.#services
  }

  /** Closes the clients, if they were loaded. */
  async close(): Promise<void> {
    await (await this.#services)?.close()
  }
}

/**
 * Builds the parts of a server.
 *
 * @throws Refusal `bad_protocol`, `store_unavailable`
 */
async function assemble(instance: Instance, options: SafebotOptions): Promise<Parts> {
  const revisions = readRevisions(options.protocol)
  const { contract: contractName = 'documented', hostility = {}, connect, base = DEFAULT_BASE } = options
  const { clock, records } = instance
  const contract = contractOf(contractName)
  const limits = { ...LIMITS[contractName], ...options.limits }
  const ids = instance.ids.stream('safebot')
  const store = new SafebotStore(records)
  const local = new LocalService({ store, clock, machine: instance.machine, ids, contract, limits })
  const remote = new LazyRemoteServices(instance)
  const agents = new Agents(ids.stream('handles'), records.shared)
  const urls = new RoomUrls(connect ?? base, options.allowedBases, connect === undefined)
  const host = await createMcp({
    instance,
    agents,
    hostility,
    revisions,
    urls,
    contract,
    serviceOf: async ({ isLocal, base }) =>
      isLocal ? local : (await remote.services()).serviceAt(base, urls.isConfigured(base)),
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

/** Partition of the store with the origins of all replicas. */
const ORIGINS_PARTITION = 'store/bases/safebot'

/**
 * Stores the origin of this replica and reads those of the other replicas.
 *
 * @param onOrigin called with each origin in the store, now and after each change
 * @throws Refusal `store_unavailable`
 */
async function shareOrigin(
  records: Records,
  origin: string,
  onOrigin: (origin: string) => void,
): Promise<void> {
  const readOrigins = async () => {
    const origins = await records.transaction(ORIGINS_PARTITION, tx => [...tx.table<true>('origins').keys()])
    for (const known of origins) onOrigin(known)
  }
  records.watch(ORIGINS_PARTITION, ({ own }) => {
    // If the store is unavailable now, a further notification follows when it is available again.
    if (!own) void readOrigins().catch(() => undefined)
  })
  await records.transaction(ORIGINS_PARTITION, tx => {
    tx.table<true>('origins').set(origin, true)
    tx.announce()
  })
  await readOrigins()
}
