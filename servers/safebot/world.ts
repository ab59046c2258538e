import { createPrivateKey, createPublicKey, sign } from 'node:crypto'
import { z } from 'zod'
import type { IdSource } from '../../shared/ids.js'
import type { StoreDatabase } from '../../shared/records/store-database.js'
import {
  agoMsOf,
  existing,
  firstOf,
  type Happening,
  liveThrough,
  storyClock,
} from '../../shared/world/replay.js'
import { badWorld, type World, type WorldIdentity, type WorldRoom } from '../../shared/world/world.js'
import type { Contract } from './contract.js'
import { LocalService, type ServiceState } from './domain/local-service.js'
import type { SafebotLimits } from './limits.js'
import { KEY_BYTES, seal } from './room-url.js'
import { MemoryStore } from './store/memory.js'

/** By which name those who share a store know what was laid there last. */
const SETTING = 'safebot world'

const laidWorld = z.object({ laid: z.string(), keys: z.record(z.string(), z.string()) })

/** What stands before the seed of an Ed25519 key in PKCS #8 (RFC 8410). */
const PKCS8_HEAD = Buffer.from('302e020100300506032b657004220420', 'hex')

export interface BeginOptions {
  /** At its beginning; it is drawn from. */
  ids: IdSource
  contract: Contract
  limits: SafebotLimits
}

/** What the service begins with in a world. */
export interface Beginning {
  readonly service: ServiceState
  /** By room. */
  readonly keys: ReadonlyMap<string, Buffer>
}

/** A call that finds nothing is not to wait for it. */
const AT_ONCE = AbortSignal.abort()

/**
 * Lives through what a world says has happened at SafeBot, in a service made for the purpose. Somebody was in each room
 * until the start, so that none has fallen idle before.
 *
 * @param now the instant of the start, milliseconds since the epoch
 * @throws Refusal `bad_world`
 */
export async function beginSafebot(world: World, now: number, options: BeginOptions): Promise<Beginning> {
  return new Past(world, now, options).live()
}

/** One past, lived through once. */
class Past {
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

  async live(): Promise<Beginning> {
    const { contract, limits, ids } = this.#options
    const happenings: Happening[] = []
    const later: { local?: LocalService } = {}
    const serviceOf = () => existing(later.local)
    for (const [at, identity] of (this.#world.identities ?? []).entries()) {
      happenings.push(this.#registering(serviceOf, identity, `world.identities[${at}]`))
    }
    for (const [at, room] of (this.#world.rooms ?? []).entries()) {
      happenings.push(...this.#room(serviceOf, room, `world.rooms[${at}]`))
    }
    const clock = storyClock(this.#now, firstOf(happenings))
    const local = new LocalService({
      store: new MemoryStore(),
      clock,
      contract,
      limits,
      ids: ids.stream('safebot'),
    })
    later.local = local
    const leave = (this.#world.rooms ?? []).map(({ id }) => local.presence.join(id, {}))
    await liveThrough(clock, this.#now, happenings)
    for (const left of leave) left()
    const state = await local.snapshot()
    await local.close()
    clock.close()
    return { service: state, keys: this.#keys }
  }

  /** The registration of a handle that a world has, signed as its owner would. */
  #registering(
    local: () => LocalService,
    { handle, signKey, bio, ago }: WorldIdentity,
    where: string,
  ): Happening {
    const seed = signKey === undefined ? this.#ids.bytes(KEY_BYTES) : Buffer.from(signKey, 'base64url')
    const key = createPrivateKey({ key: Buffer.concat([PKCS8_HEAD, seed]), format: 'der', type: 'pkcs8' })
    const { x = '' } = createPublicKey(key).export({ format: 'jwk' })
    const signPub = Buffer.from(x, 'base64url').toString('base64')
    const boxPub = this.#ids.bytes(KEY_BYTES).toString('base64')
    const agoMs = agoMsOf(ago)
    const happen = async () => {
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
    return { agoMs, where, happen }
  }

  #room(local: () => LocalService, room: WorldRoom, where: string): Happening[] {
    if (this.#keys.has(room.id)) throw badWorld(`${where}.id`, 'another room has it')
    const key = room.key === undefined ? this.#ids.bytes(KEY_BYTES) : Buffer.from(room.key, 'base64url')
    this.#keys.set(room.id, key)
    const messages = (room.messages ?? []).map(
      ({ sender, text, ago, times = 1 }, at): Happening => ({
        agoMs: agoMsOf(ago),
        where: `${where}.messages[${at}]`,
        happen: async () => {
          for (let nth = 0; nth < times; nth++) {
            await local().post(room.id, { ...seal(key, text, this.#ids), sender })
          }
        },
      }),
    )
    const opening: Happening = {
      agoMs: room.ago === undefined ? firstOf(messages) : agoMsOf(room.ago),
      where,
      happen: async () => void (await local().rooms.open(room.id)),
    }
    const consumers = (room.consumers ?? []).map(
      ({ handle, acknowledged = 0, claimed }, at): Happening => ({
        agoMs: agoMsOf(claimed),
        where: `${where}.consumers[${at}]`,
        happen: () =>
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

interface Consumption {
  handle: string
  /** How many messages it has acknowledged. */
  acknowledged: number
  /** Whether it holds one more. */
  claims: boolean
  where: string
}

async function consume(
  local: LocalService,
  roomId: string,
  { handle, acknowledged, claims, where }: Consumption,
): Promise<void> {
  const claim = async (nth: number) => {
    const request = { handle, labels: [handle], timeoutMs: 0, ifMissing: 'return' } as const
    const { held } = await local.claim(roomId, request, AT_ONCE)
    if (held !== undefined) return held
    throw badWorld(where, `there is no message number ${nth} for ${JSON.stringify(handle)} at that time`)
  }
  for (let nth = 1; nth <= acknowledged; nth++) {
    const { claimId, message } = await claim(nth)
    await local.ack(roomId, handle, claimId, message.seq)
  }
  if (claims) await claim(acknowledged + 1)
}

/** The keys of a world's rooms, in base64url, by room. */
export type WorldKeys = Readonly<Record<string, string>>

/**
 * What those who share a store begin with: one of them has laid it, or put another state in its place, and
 * the others find it.
 */
export class SharedWorld {
  readonly #store: StoreDatabase
  /** Which laying this process knows of. */
  #known = ''
  #layings = 0

  constructor(store: StoreDatabase) {
    this.#store = store
  }

  /**
   * The keys of what was laid; of what `lay` lays, if nothing was.
   *
   * @throws StoreUnavailable, and what `lay` throws: nothing counts as laid then
   */
  async laid(lay: () => Promise<WorldKeys>): Promise<WorldKeys> {
    // What `lay` asks of the store goes over another connection: it is at its beginning, and nobody else wants one yet.
    const setting = await this.#store.setting(SETTING, async () => this.#laying(await lay()))
    const { laid, keys } = laidWorld.parse(setting)
    this.#known = laid
    return keys
  }

  /** What is to be agreed on along with another state. */
  agreement(keys: WorldKeys): Record<string, unknown> {
    const laying = this.#laying(keys)
    this.#known = laying.laid
    return { [SETTING]: laying }
  }

  /** The keys of what somebody else has laid since this process last knew; undefined: nobody has. */
  async changed(): Promise<WorldKeys | undefined> {
    const before = this.#known
    const keys = await this.laid(async () => ({}))
    return this.#known === before ? undefined : keys
  }

  #laying(keys: WorldKeys): z.infer<typeof laidWorld> {
    return { laid: `${this.#store.replica} ${++this.#layings}`, keys }
  }
}
