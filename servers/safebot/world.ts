import { createPrivateKey, createPublicKey, sign } from 'node:crypto'
import type { IdSource } from '../../shared/ids.js'
import { MemoryRecords } from '../../shared/records/memory-records.js'
import { agoMsOf, existing, firstOf, replay, type SeedEvent, seedClock } from '../../shared/world/replay.js'
import { badWorld, type World, type WorldIdentity, type WorldRoom } from '../../shared/world/world.js'
import type { Contract } from './contract.js'
import { LocalService, type ServiceState } from './domain/local-service.js'
import { SafebotStore, type WorldKeys } from './domain/store.js'
import type { SafebotLimits } from './limits.js'
import { KEY_BYTES, seal } from './room-url.js'

/** PKCS #8 header that precedes the 32-byte seed of an Ed25519 key (RFC 8410). */
const PKCS8_HEAD = Buffer.from('302e020100300506032b657004220420', 'hex')

export interface BeginOptions {
  /** A new id source, which the replay advances. */
  ids: IdSource
  contract: Contract
  limits: SafebotLimits
}

/** The state of the service at the start, and the keys of the world's rooms. */
export interface InitialState {
  readonly service: ServiceState
  readonly keys: WorldKeys
}

/** An aborted signal. A claim with this signal returns at once. */
const NO_WAIT = AbortSignal.abort()

/**
 * Builds the state of a world by replaying the world's events in a temporary service. Every room has a
 * participant during the replay, so that no room is evicted before the start.
 *
 * @param now the start of the instance, in milliseconds since the epoch
 * @throws Refusal `bad_world`
 */
export async function beginSafebot(world: World, now: number, options: BeginOptions): Promise<InitialState> {
  return new SeedRun(world, now, options).run()
}

/** The replay of one world's events. */
class SeedRun {
  readonly #world: World
  readonly #now: number
  readonly #options: BeginOptions
  readonly #ids: IdSource
  readonly #keys = new Map<string, Buffer>()

  constructor(world: World, now: number, options: BeginOptions) {
    this.#world = world
    this.#now = now
    this.#options = options
    this.#ids = options.ids.stream('safebot').stream('world')
  }

  async run(): Promise<InitialState> {
    const { contract, limits, ids } = this.#options
    const events: SeedEvent[] = []
    // The service needs the clock, and the clock needs the events. So the events get the service later.
    const replayed: { local?: LocalService } = {}
    const serviceOf = () => existing(replayed.local)
    for (const [at, identity] of (this.#world.identities ?? []).entries()) {
      events.push(this.#registration(serviceOf, identity, `world.identities[${at}]`))
    }
    for (const [at, room] of (this.#world.rooms ?? []).entries()) {
      events.push(...this.#roomEvents(serviceOf, room, `world.rooms[${at}]`))
    }
    const clock = seedClock(this.#now, firstOf(events))
    const local = new LocalService({
      store: new SafebotStore(new MemoryRecords()),
      clock,
      contract,
      limits,
      ids: ids.stream('safebot'),
    })
    replayed.local = local
    const leaveRooms = (this.#world.rooms ?? []).map(({ id }) => local.presence.join(id, {}))
    await replay(clock, this.#now, events)
    for (const leave of leaveRooms) leave()
    await local.store.setWorldKeys(this.#keysAsText())
    const state = await local.snapshot()
    await local.close()
    clock.close()
    return { service: state, keys: this.#keysAsText() }
  }

  #keysAsText(): WorldKeys {
    return Object.fromEntries([...this.#keys].map(([roomId, key]) => [roomId, key.toString('base64url')]))
  }

  /** Returns the event that registers a handle of the world, with the signature of its owner. */
  #registration(
    local: () => LocalService,
    { handle, signKey, bio, ago }: WorldIdentity,
    where: string,
  ): SeedEvent {
    const seed = signKey === undefined ? this.#ids.bytes(KEY_BYTES) : Buffer.from(signKey, 'base64url')
    const key = createPrivateKey({ key: Buffer.concat([PKCS8_HEAD, seed]), format: 'der', type: 'pkcs8' })
    const { x = '' } = createPublicKey(key).export({ format: 'jwk' })
    const signPub = Buffer.from(x, 'base64url').toString('base64')
    const boxPub = this.#ids.bytes(KEY_BYTES).toString('base64')
    const agoMs = agoMsOf(ago)
    const run = async () => {
      const ts = this.#now - agoMs
      const text = Buffer.from(`register ${handle} ${ts} ${boxPub} ${signPub}`)
      const sig = sign(null, text, key).toString('base64')
      await local().identities.register({
        handle,
        boxPub,
        signPub,
        ts,
        sig,
        meta: bio === undefined ? {} : { bio },
      })
    }
    return { agoMs, where, run }
  }

  /** Returns the events of a room: its opening, its messages, and the claims and acks of its consumers. */
  #roomEvents(local: () => LocalService, room: WorldRoom, where: string): SeedEvent[] {
    if (this.#keys.has(room.id)) throw badWorld(`${where}.id`, 'another room of the world has the same id')
    const key = room.key === undefined ? this.#ids.bytes(KEY_BYTES) : Buffer.from(room.key, 'base64url')
    this.#keys.set(room.id, key)
    const messages = (room.messages ?? []).map(
      ({ sender, text, ago, times = 1 }, at): SeedEvent => ({
        agoMs: agoMsOf(ago),
        where: `${where}.messages[${at}]`,
        run: async () => {
          for (let nth = 0; nth < times; nth++) {
            await local().post(room.id, { ...seal(key, text, this.#ids), sender })
          }
        },
      }),
    )
    const opening: SeedEvent = {
      agoMs: room.ago === undefined ? firstOf(messages) : agoMsOf(room.ago),
      where,
      run: async () => void (await local().rooms.open(room.id)),
    }
    const consumers = (room.consumers ?? []).map(
      ({ handle, acknowledged = 0, claimed }, at): SeedEvent => ({
        agoMs: agoMsOf(claimed),
        where: `${where}.consumers[${at}]`,
        run: () =>
          consume(local(), room.id, {
            handle,
            acknowledged,
            claims: claimed !== undefined,
            where: `${where}.consumers[${at}]`,
          }),
      }),
    )
    return [opening, ...messages, ...consumers]
  }
}

/** The claims and acks of one consumer in a world. */
interface Consumption {
  handle: string
  /** Number of messages that the consumer has acknowledged. */
  acknowledged: number
  /** Whether the consumer has claimed one more message. */
  claims: boolean
  /** Path in the world, for errors. */
  where: string
}

/**
 * Claims and acknowledges messages as the consumer of a world has done.
 *
 * @throws Refusal `bad_world` if there are too few
 */
async function consume(
  local: LocalService,
  roomId: string,
  { handle, acknowledged, claims, where }: Consumption,
): Promise<void> {
  const claim = async (nth: number) => {
    const request = { handle, labels: [handle], timeoutMs: 0, ifMissing: 'return' } as const
    const { task } = await local.claim(roomId, request, NO_WAIT)
    if (task !== undefined) return task
    throw badWorld(where, `at this time the room has no message number ${nth} for ${JSON.stringify(handle)}`)
  }
  for (let nth = 1; nth <= acknowledged; nth++) {
    const { claimId, message } = await claim(nth)
    await local.ack(roomId, handle, claimId, message.seq)
  }
  if (claims) await claim(acknowledged + 1)
}
