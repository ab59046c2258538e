import { Refusal, wasReset } from '../../shared/errors.js'
import type { IdPositions } from '../../shared/ids.js'
import type { Instance } from '../../shared/instance.js'
import type { Kept, StatefulPart } from '../../shared/world/stateful-part.js'
import type { World } from '../../shared/world/world.js'
import type { AgentMemories, Agents } from './callers.js'
import type { Contract } from './contract.js'
import type { LocalService, ServiceState } from './domain/local-service.js'
import type { SafebotLimits } from './limits.js'
import { beginSafebot, SharedWorld, type WorldKeys } from './world.js'

export interface SafebotStateOptions {
  instance: Instance
  contract: Contract
  limits: SafebotLimits
  local: LocalService
  agents: Agents
  /** Answers what waits elsewhere than in the service. */
  releaseHeld(refusal: Refusal): void
}

/** All that SafeBot knows. */
interface Memory {
  readonly service: ServiceState
  readonly agents: AgentMemories
  /** Of the service, and of what its tools make: rooms, keys, nonces. */
  readonly ids: { readonly service: IdPositions; readonly rooms: IdPositions }
  /** Of the world's rooms, in base64url, by room: the service itself has none. */
  readonly keys: WorldKeys
}

/** SafeBot's state: rooms, buffers, consumers, identities, and what agents remember of the rooms they are in. */
export class SafebotState implements StatefulPart {
  readonly #options: SafebotStateOptions
  /** What those have agreed on who share the store; undefined: nobody does. */
  readonly #shared: SharedWorld | undefined
  #keys: WorldKeys = {}

  constructor(options: SafebotStateOptions) {
    const { instance, local } = options
    const { others } = local.store
    this.#options = options
    this.#shared = instance.store && new SharedWorld(instance.store)
    others?.onReset(() => this.#lookElsewhere())
    others?.onGap(() => this.#lookElsewhere())
  }

  /**
   * Begins with a world, unless those who share the store have begun already: then with what there is.
   *
   * @throws Refusal `bad_world`, `store_unavailable`
   */
  async lay(world: World): Promise<void> {
    const now = this.#options.instance.clock.now()
    if (this.#shared === undefined) return (await this.begin(world, now)).place()
    this.#keys = await this.#shared.laid(async () => {
      const memory = await this.#beginning(world, now)
      await this.#place(memory)
      return memory.keys
    })
  }

  /**
   * The key of a room of the world.
   *
   * @throws Refusal `unknown_room`
   */
  keyOf(roomId: string): Buffer {
    const key = Object.hasOwn(this.#keys, roomId) ? this.#keys[roomId] : undefined
    if (key !== undefined) return Buffer.from(key, 'base64url')
    const known = Object.keys(this.#keys).join(', ') || 'none'
    throw new Refusal('unknown_room', `the world has no room ${JSON.stringify(roomId)}`, `it has ${known}`)
  }

  /** The keys of all the rooms of the world, by room. */
  keys(): Map<string, Buffer> {
    return new Map(Object.entries(this.#keys).map(([roomId, key]) => [roomId, Buffer.from(key, 'base64url')]))
  }

  alone<T>(work: () => Promise<T>): Promise<T> {
    return this.#options.local.gate.alone(work)
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
    return this.#kept(await this.#beginning(world, now))
  }

  async #beginning(world: World, now: number): Promise<Memory> {
    const { instance, contract, limits } = this.#options
    const ids = instance.ids.fromBeginning()
    const { service, keys } = await beginSafebot(world, now, { ids, contract, limits })
    return {
      service,
      agents: { sessions: [], sessionless: [] },
      keys: Object.fromEntries([...keys].map(([roomId, key]) => [roomId, key.toString('base64url')])),
      ids: { service: ids.stream('safebot').positions(), rooms: ids.stream('rooms').positions() },
    }
  }

  #kept(memory: Memory): Kept {
    return {
      data: memory,
      prepare: async () => {},
      place: () => this.#place(memory, this.#shared?.agreement(memory.keys)),
      discard: async () => {},
    }
  }

  /** @param agreed what those who share the store agree on along with it */
  async #place(
    { service: state, agents: memories, ids, keys }: Memory,
    agreed?: Record<string, unknown>,
  ): Promise<void> {
    const { local, agents, instance, releaseHeld } = this.#options
    releaseHeld(wasReset())
    const join = (roomId: string, handle: string, label: string) => local.join(roomId, { handle, label })
    await local.restore(state, () => agents.restore(memories, join), agreed)
    this.#keys = keys
    instance.ids.stream('safebot').moveTo(ids.service)
    instance.ids.stream('rooms').moveTo(ids.rooms)
  }

  /** Somebody else may have put the store back to another state. */
  async #lookElsewhere(): Promise<void> {
    const { instance, local, agents, releaseHeld } = this.#options
    try {
      const keys = await this.#shared?.changed()
      if (keys === undefined) return
      this.#keys = keys
      releaseHeld(wasReset())
      local.wasRestored()
      agents.restore({ sessions: [], sessionless: [] }, () => () => {})
    } catch (error) {
      // The store is away: it will be looked at again when it is back.
      instance.log.warn('it could not be seen whether the store was put back to another state', error)
    }
  }
}
