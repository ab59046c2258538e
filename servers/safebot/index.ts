import type { Readable, Writable } from 'node:stream'
import type { Client } from '@modelcontextprotocol/sdk/client/index.js'
import type { ContractName } from '../../shared/contract.js'
import type { ApiFace } from '../../shared/http/api-face.js'
import { notFound } from '../../shared/http/not-found.js'
import type { ControlledServer, Instance } from '../../shared/instance.js'
import { McpHost } from '../../shared/mcp/host.js'
import { type ListenOptions, type Serving, serveHttp } from '../../shared/mcp/http/serve.js'
import { StdioConversation } from '../../shared/mcp/stdio.js'
import { mountTools } from '../../shared/mcp/tool-server.js'
import { VERSION } from '../../shared/util/version.js'
import { DEFAULT_WORLD } from '../../shared/world/default-world.js'
import { Agent, Agents, readHandle } from './callers.js'
import type { RemoteServices } from './client/index.js'
import { type Contract, contractOf } from './contract.js'
import { controlled, keysInHand } from './control.js'
import { Relay } from './domain/local-service.js'
import { copying } from './hostile.js'
import { createRest } from './http/index.js'
import { LIMITS, type SafebotLimits } from './limits.js'
import { DEFAULT_BASE, type SafebotOptions, type StdioIdentity } from './options.js'
import { type RoomAddress, RoomUrls } from './room-url.js'
import type { SafebotService } from './service.js'
import { SafebotState } from './state.js'
import { MemoryStore } from './store/memory.js'
import type { SafebotStore } from './store/store.js'
import { refusalText } from './tools/context.js'
import { createTools } from './tools/index.js'
import type { SafebotView } from './view.js'

export type { SafebotOptions } from './options.js'

/** `serverInfo.name` of the real service. */
const SERVER_NAME = 'safebot-chat'

/** The Safebot stand-in: one service, whose tools are reached over HTTP, stdio or in memory. */
export class Safebot {
  readonly #instance: Instance
  readonly #relay: Relay
  readonly #contractName: ContractName
  readonly #contract: Contract
  readonly #limits: SafebotLimits
  readonly #agents: Agents
  /** All there is, to be taken as a whole and put back. */
  readonly state: SafebotState
  readonly #host: McpHost<Agent>
  #urls: RoomUrls | undefined
  #serving: Serving | undefined
  #remote: Promise<RemoteServices> | undefined
  #connections = 0

  private constructor(instance: Instance, store: SafebotStore, options: SafebotOptions) {
    const { contract = 'documented' } = options
    const ids = instance.ids.stream('safebot')
    this.#instance = instance
    this.#contractName = contract
    this.#contract = contractOf(contract)
    this.#limits = { ...LIMITS[contract], ...options.limits }
    this.#relay = new Relay({
      store,
      clock: instance.clock,
      machine: instance.machine,
      ids,
      contract: this.#contract,
      limits: this.#limits,
    })
    this.#agents = new Agents(ids.stream('handles'), instance.store !== undefined)
    this.state = new SafebotState({
      instance,
      contract: this.#contract,
      limits: this.#limits,
      relay: this.#relay,
      agents: this.#agents,
      others: store.others,
      releaseHeld: refusal => this.#host.releaseHeld(refusal),
    })
    this.#host = new McpHost({
      name: 'safebot',
      instance,
      identify: clues => this.#agents.identify(clues),
      nameOf: agent => agent.handle,
      forget: session => this.#agents.forget(session),
      onError: error => instance.log.warn('a message could not be handled', error),
    })
  }

  /** A server that listens nowhere yet. */
  static async create(instance: Instance, options: SafebotOptions = {}): Promise<Safebot> {
    const safebot = new Safebot(instance, await storeOf(instance), options)
    await safebot.#mount(options)
    await safebot.#lay(options.world)
    return safebot
  }

  /**
   * A server on an HTTP port.
   *
   * @throws Refusal if it cannot listen there
   */
  static async listen(
    instance: Instance,
    listen: ListenOptions = {},
    options: SafebotOptions = {},
  ): Promise<{ safebot: Safebot; url: string }> {
    const safebot = new Safebot(instance, await storeOf(instance), options)
    // Made before it listens: a world that cannot be is no reason to have opened a port.
    await safebot.#lay(options.world)
    const serving = await serveHttp({
      instance,
      host: safebot.#host,
      name: 'safebot',
      ids: instance.ids.stream('sessions'),
      listen,
      faces: async (url, endpoint) => {
        await safebot.#mount({ base: url, ...options })
        return { mcp: endpoint, rest: options.connect === undefined ? safebot.#rest(url) : notFound }
      },
    })
    safebot.#serving = serving
    return { safebot, url: serving.url }
  }

  /** An SDK client in this process, initialized. */
  async connect({ handle }: { handle?: string } = {}): Promise<Client> {
    // The client half of the SDK is of no use to a stdio server, which has to start fast.
    const { connectInMemory } = await import('../../shared/mcp/memory.js')
    const headers: Record<string, string> = handle === undefined ? {} : { 'x-safebot-handle': handle }
    return connectInMemory(this.#host, `memory-${++this.#connections}`, headers)
  }

  /**
   * Serves one client over a pipe.
   *
   * @param identity a handle the service would not take is passed over, as the real client does
   * @param onEnd the client has closed its end
   */
  serveStdio(
    input: Readable,
    output: Writable,
    { handle, label, folder }: StdioIdentity,
    onEnd: () => void,
  ): { flush(): Promise<void> } {
    const wanted = this.#handleOrOwn(handle)
    const takeUp = async (from: string) => (await this.#reachRemote()).takeUp(from, wanted)
    const agent = new Agent(wanted, true, label, folder === undefined ? undefined : () => takeUp(folder))
    this.#agents.admit('stdio', agent)
    return new StdioConversation({ host: this.#host, caller: agent, input, output, onEnd })
  }

  /** As a control plane shows it. */
  controlled(): ControlledServer<SafebotView> {
    return controlled({
      relay: this.#relay,
      host: this.#host,
      clock: this.#instance.clock,
      contract: this.#contractName,
      keys: () => keysInHand(this.state.keys(), this.#urls?.keys()),
      listening: () => this.#serving?.listening,
      url: () => this.#serving?.url,
    })
  }

  /**
   * The URL, key included, of a room of the world it began with, or was reset to.
   *
   * @throws Refusal `unknown_room`
   */
  roomUrl(roomId: string): string {
    const key = this.state.keyOf(roomId)
    // Mounted by whichever way it was made.
    return (this.#urls ?? new RoomUrls(DEFAULT_BASE)).of(roomId, key).url
  }

  /** Answers what is parked, then ends every conversation. */
  async close(): Promise<void> {
    await this.#relay.close()
    await (await this.#remote)?.close()
    // The answers of what was parked are on their way through the microtask queue; this lets them pass first.
    await new Promise(resolve => setImmediate(resolve))
    await this.#serving?.close()
    await this.#host.close()
  }

  #lay(world = DEFAULT_WORLD): Promise<void> {
    return this.state.alone(() => this.state.lay(world))
  }

  async #mount(options: SafebotOptions): Promise<void> {
    const { clock, ids, log, faults } = this.#instance
    const { copiedMessages: copies, connect, base = DEFAULT_BASE } = options
    const urls = new RoomUrls(connect ?? base, options.allowedBases, connect === undefined)
    this.#urls = urls
    if (connect === undefined) await this.#shareBase(base, urls)
    const genuine = createTools({
      serviceOf: room => this.#serviceOf(room),
      urls,
      clock,
      ids: ids.stream('rooms'),
      contract: this.#contract,
      faults,
    })
    const tools =
      copies === undefined
        ? genuine
        : genuine.map(tool => (tool.name === 'send_message' ? copying(tool, copies, base) : tool))
    await mountTools({
      name: SERVER_NAME,
      version: VERSION,
      tools,
      host: this.#host,
      log,
      refusal: refusalText,
    })
  }

  /** A room's URL is good at whichever replica it is shown to. */
  async #shareBase(base: string, urls: RoomUrls): Promise<void> {
    const { store } = this.#instance
    if (store === undefined) return
    const { shareBase } = await import('./store/postgres/postgres-store.js')
    await shareBase(store, new URL(base).origin, origin => urls.serveAlso(origin))
  }

  async #serviceOf({ here, base }: RoomAddress): Promise<SafebotService> {
    return here ? this.#relay : (await this.#reachRemote()).at(base, this.#urls?.isNamed(base) === true)
  }

  /** What it takes to be a client is loaded with the first need of it: a stdio server has to start fast. */
  #reachRemote(): Promise<RemoteServices> {
    const { machine, ids, log } = this.#instance
    this.#remote ??= import('./client/index.js').then(
      ({ RemoteServices }) => new RemoteServices({ machine, ids: ids.stream('remote'), log }),
    )
    return this.#remote
  }

  #rest(url: string): ApiFace {
    const { name, stamp, journal, clock, machine, log } = this.#instance
    return createRest({
      url,
      stamp: stamp ? name : undefined,
      relay: this.#relay,
      contract: this.#contract,
      limits: this.#limits,
      journal,
      clock,
      machine,
      log,
    })
  }

  #handleOrOwn(handle: string | undefined): string {
    try {
      return handle === undefined ? this.#agents.generateHandle() : readHandle(handle)
    } catch (error) {
      const own = this.#agents.generateHandle()
      this.#instance.log.warn(`SAFEBOT_MCP_HANDLE is passed over, the handle is ${own}`, error)
      return own
    }
  }
}

/** What a shared store takes is loaded with one. */
async function storeOf({ store }: Instance): Promise<SafebotStore> {
  if (store === undefined) return new MemoryStore()
  const { PostgresStore } = await import('./store/postgres/postgres-store.js')
  return PostgresStore.open(store)
}
