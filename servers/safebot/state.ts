import { Refusal, wasReset } from '../../shared/errors.js'
import type { IdPositions } from '../../shared/ids.js'
import type { Instance } from '../../shared/instance.js'
import type { Kept, StatefulPart } from '../../shared/world/stateful-part.js'
import type { World } from '../../shared/world/world.js'
import type { Agents, AgentsSnapshot } from './callers.js'
import type { Contract } from './contract.js'
import type { LocalService, ServiceState } from './domain/local-service.js'
import type { WorldKeys } from './domain/store.js'
import type { SafebotLimits } from './limits.js'
import { beginSafebot } from './world.js'

export interface SafebotStateOptions {
  instance: Instance
  contract: Contract
  limits: SafebotLimits
  local: LocalService
  agents: Agents
  /** Ends the waiting calls that the MCP host holds, with a refusal. */
  releaseHeld(refusal: Refusal): void
}

/** A snapshot of everything that a restore puts back. */
interface Memory {
  readonly service: ServiceState
  readonly agents: AgentsSnapshot
  /**
   * Positions of the id source: in the stream of the service, and in the stream of its tools (room ids, keys,
   * nonces).
   */
  readonly ids: { readonly service: IdPositions; readonly rooms: IdPositions }
  /** Keys of the world's rooms in base64url, by room id. The service itself has no keys. */
  readonly keys: WorldKeys
}

/** The state of a Safebot instance: the service with its rooms and identities, and the agents. */
export class SafebotState implements StatefulPart {
  readonly #options: SafebotStateOptions
  #keys: WorldKeys = {}

  constructor(options: SafebotStateOptions) {
    this.#options = options
    options.local.store.records.onReplaced(() => void this.#takeOverState())
  }

  /**
   * Loads a world at the start of the server. If another replica has already loaded a world into the store,
   * uses that state.
   *
   * @throws Refusal `bad_world`, `store_unavailable`
   */
  async loadWorld(world: World): Promise<void> {
    const { store } = this.#options.local
    await store.records.alone('safebot world', async () => {
      const keys = await store.worldKeys()
      if (keys !== undefined) this.#keys = keys
      else await (await this.begin(world, this.#options.instance.clock.now())).place()
    })
  }

  /**
   * Returns the key of a room of the world, 32 bytes.
   *
   * @throws Refusal `unknown_room`
   */
  keyOf(roomId: string): Buffer {
    const key = Object.hasOwn(this.#keys, roomId) ? this.#keys[roomId] : undefined
    if (key !== undefined) return Buffer.from(key, 'base64url')
    const known = Object.keys(this.#keys).join(', ') || 'none'
    throw new Refusal(
      'unknown_room',
      `the world has no room ${JSON.stringify(roomId)}`,
      `its rooms are: ${known}`,
    )
  }

  /** Returns the keys of all rooms of the world, by room id. */
  keys(): Map<string, Buffer> {
    return new Map(Object.entries(this.#keys).map(([roomId, key]) => [roomId, Buffer.from(key, 'base64url')]))
  }

  /** Runs `work` while no change runs in the service. */
  alone<T>(work: () => Promise<T>): Promise<T> {
    return this.#options.local.lock.exclusive(work)
  }

  async keep(): Promise<Kept> {
    const { local, agents, instance } = this.#options
    return this.#kept({
      service: await local.snapshot(),
      agents: agents.snapshot(),
      keys: this.#keys,
      ids: {
        service: instance.ids.stream('safebot').positions(),
        rooms: instance.ids.stream('rooms').positions(),
      },
    })
  }

  async begin(world: World, now: number): Promise<Kept> {
    return this.#kept(await this.#initialMemory(world, now))
  }

  async #initialMemory(world: World, now: number): Promise<Memory> {
    const { instance, contract, limits } = this.#options
    const ids = instance.ids.fromBeginning()
    const { service, keys } = await beginSafebot(world, now, { ids, contract, limits })
    return {
      service,
      agents: { sessions: [], sessionless: [] },
      keys,
      ids: { service: ids.stream('safebot').positions(), rooms: ids.stream('rooms').positions() },
    }
  }

  #kept(memory: Memory): Kept {
    return {
      data: memory,
      prepare: async () => {},
      place: () => this.#place(memory),
      discard: async () => {},
    }
  }

  async #place({ service: state, agents: memories, ids, keys }: Memory): Promise<void> {
    const { local, agents, instance, releaseHeld } = this.#options
    releaseHeld(wasReset())
    const join = (roomId: string, handle: string, label: string) => local.join(roomId, { handle, label })
    await local.restore(state, () => agents.restore(memories, join))
    this.#keys = keys
    instance.ids.stream('safebot').moveTo(ids.service)
    instance.ids.stream('rooms').moveTo(ids.rooms)
  }

  /**
   * Adapts this replica after another replica has replaced the stored state. Drops everything in memory of
   * the old state.
   */
  async #takeOverState(): Promise<void> {
    const { instance, local, agents, releaseHeld } = this.#options
    try {
      this.#keys = (await local.store.worldKeys()) ?? {}
    } catch (error) {
      instance.log.warn(
        'cannot read the room keys of the state that another replica has loaded: ' +
          'the URLs of the rooms in the world are missing',
        error,
      )
    } finally {
      releaseHeld(wasReset())
      local.handleForeignRestore()
      agents.restore({ sessions: [], sessionless: [] }, () => () => {})
    }
  }
}
