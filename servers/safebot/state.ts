import { Refusal, wasReset } from '../../shared/errors.js'
import type { IdPositions } from '../../shared/ids.js'
import type { Instance } from '../../shared/instance.js'
import type { Kept, StatefulPart } from '../state/part.js'
import type { World } from '../world/world.js'
import type { AgentMemories, Agents } from './agents.js'
import type { Contract } from './contract.js'
import type { Relay, RelayState } from './domain/relay.js'
import type { SafebotLimits } from './limits.js'
import { beginSafebot } from './world/begin.js'

export interface SafebotStateOptions {
  instance: Instance
  contract: Contract
  limits: SafebotLimits
  relay: Relay
  agents: Agents
  /** Answers what waits elsewhere than in the service. */
  releaseHeld(refusal: Refusal): void
}

/** All that SafeBot knows. */
interface Memory {
  readonly relay: RelayState
  readonly agents: AgentMemories
  /** Of the service, and of what its tools make: rooms, keys, nonces. */
  readonly ids: { readonly service: IdPositions; readonly rooms: IdPositions }
  /** Of the world's rooms, in base64url, by room: the service itself has none. */
  readonly keys: Readonly<Record<string, string>>
}

/** SafeBot's state: rooms, buffers, consumers, identities, and what agents remember of the rooms they are in. */
export class SafebotState implements StatefulPart {
  readonly #options: SafebotStateOptions
  #keys: Memory['keys'] = {}

  constructor(options: SafebotStateOptions) {
    this.#options = options
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
    return this.#options.relay.alone(work)
  }

  async keep(): Promise<Kept> {
    const { relay, agents, instance } = this.#options
    return this.#kept({
      relay: await relay.snapshot(),
      agents: agents.snapshot(),
      keys: this.#keys,
      ids: {
        service: instance.ids.stream('safebot').positions(),
        rooms: instance.ids.stream('rooms').positions(),
      },
    })
  }

  async begin(world: World, now: number): Promise<Kept> {
    const { instance, contract, limits } = this.#options
    const ids = instance.ids.fromBeginning()
    const { relay, keys } = await beginSafebot(world, now, { ids, contract, limits })
    return this.#kept({
      relay,
      agents: { sessions: [], sessionless: [] },
      keys: Object.fromEntries([...keys].map(([roomId, key]) => [roomId, key.toString('base64url')])),
      ids: { service: ids.stream('safebot').positions(), rooms: ids.stream('rooms').positions() },
    })
  }

  #kept(memory: Memory): Kept {
    return {
      data: memory,
      prepare: async () => {},
      place: () => this.#place(memory),
      discard: async () => {},
    }
  }

  async #place({ relay: state, agents: memories, ids, keys }: Memory): Promise<void> {
    const { relay, agents, instance, releaseHeld } = this.#options
    releaseHeld(wasReset())
    const join = (roomId: string, handle: string, label: string) => relay.join(roomId, { handle, label })
    await relay.restore(state, () => agents.restore(memories, join))
    this.#keys = keys
    instance.ids.stream('safebot').moveTo(ids.service)
    instance.ids.stream('rooms').moveTo(ids.rooms)
  }
}
