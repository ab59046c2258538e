import type { IdPositions, IdSource } from '../../shared/ids.js'
import type { Instance } from '../../shared/instance.js'
import { MemoryRecords } from '../../shared/records/memory-records.js'
import type { PartitionDump } from '../../shared/records/partition.js'
import { silentLog } from '../../shared/util/log.js'
import { defined } from '../../shared/util/objects.js'
import { agoMsOf, existing, firstOf, replay, type SeedEvent, seedClock } from '../../shared/world/replay.js'
import {
  badWorld,
  type World,
  type WorldAccount,
  type WorldDatabase,
  type WorldReceiver,
} from '../../shared/world/world.js'
import type { Contract } from './contract.js'
import type { DatabaseProvider, DatabaseSpec, DatabaseStats, ProviderInfo } from './databases/provider.js'
import { LocalService } from './domain/local-service.js'
import { type Account, databaseName, type ResourceType } from './domain/model.js'
import type { Receivers } from './domain/receivers.js'
import { InstanodeStore } from './domain/store.js'
import { LIFETIME } from './limits.js'

/**
 * Milliseconds to wait for a connection. A database may take 60 s to open. The wait is longer, so that the
 * database's own error arrives before this time-out.
 */
const CONNECT_MS = 75_000

export interface BeginOptions {
  machine: Instance['machine']
  /** A new id source. The replay takes the ids of accounts and resources from it. */
  ids: IdSource
  contract: Contract
  receiveUrl(token: string): string
}

/** SQL statements of a world, to run in one of its databases. */
export interface PlannedSql {
  readonly database: string
  readonly sql: readonly string[]
  /** Path of the SQL in the world file, for errors. */
  readonly where: string
}

/** The state of the service at the start of a world. */
export interface InitialState {
  readonly records: readonly PartitionDump[]
  /** The databases to create. */
  readonly planned: readonly PlannedDatabase[]
  /** The SQL to run in these databases. */
  readonly sql: readonly PlannedSql[]
  /** Position of the id source after the replay. */
  readonly ids: IdPositions
}

/**
 * Replays the events of a world in a temporary service.
 *
 * @param now the start of the instance, in milliseconds since the epoch
 * @returns the state of the service at `now`
 * @throws Refusal `bad_world` if the world contradicts itself
 */
export async function beginInstanode(
  world: World,
  now: number,
  options: BeginOptions,
): Promise<InitialState> {
  return new SeedRun(world, now, options).run()
}

/** One replay of the events of a world. */
class SeedRun {
  readonly #world: World
  readonly #now: number
  readonly #options: BeginOptions
  readonly #ids: IdSource
  readonly #databases = new PlannedDatabases()
  readonly #sql: PlannedSql[] = []
  readonly #accounts = new Map<string, Account>()

  constructor(world: World, now: number, options: BeginOptions) {
    this.#world = world
    this.#now = now
    this.#options = options
    this.#ids = options.ids.stream('instanode').stream('world')
  }

  async run(): Promise<InitialState> {
    const { machine, ids, contract, receiveUrl } = this.#options
    const service: { local?: LocalService } = {}
    const events = this.#seedEvents(() => existing(service.local))
    const clock = seedClock(this.#now, firstOf(events))
    const local = new LocalService({
      store: new InstanodeStore(new MemoryRecords()),
      databases: this.#databases,
      clock,
      machine,
      ids: ids.stream('instanode'),
      contract,
      log: silentLog,
      receiveUrl,
    })
    service.local = local
    for (const [at, account] of (this.#world.accounts ?? []).entries()) {
      await local.accounts.save(this.#account(account, `world.accounts[${at}]`))
    }
    await replay(clock, this.#now, events)
    await local.reaper.stop()
    clock.close()
    await local.store.setBegun()
    return {
      records: await local.store.dump(),
      planned: this.#databases.planned,
      sql: this.#sql,
      ids: ids.stream('instanode').positions(),
    }
  }

  #account({ id, plan, token = null, userId }: WorldAccount, where: string): Account {
    const account = { id, plan, fixedToken: token, userId: userId ?? this.#ids.uuid() }
    for (const other of this.#accounts.values()) {
      if (other.id === id) throw badWorld(where, `there is another account ${JSON.stringify(id)}`)
      if (other.userId === account.userId)
        throw badWorld(`${where}.userId`, `the account ${other.id} has the same userId`)
      if (token !== null && other.fixedToken === token)
        throw badWorld(`${where}.token`, `the account ${other.id} has the same token`)
    }
    this.#accounts.set(id, account)
    return account
  }

  #seedEvents(local: () => LocalService): SeedEvent[] {
    const { databases = [], receivers = [], provisions = [] } = this.#world
    return [
      ...databases.map((database, at) => this.#database(local, database, `world.databases[${at}]`)),
      ...receivers.flatMap((receiver, at) => this.#receiver(local, receiver, `world.receivers[${at}]`)),
      ...provisions.map(({ from, count }, at) => ({
        agoMs: 0,
        where: `world.provisions[${at}]`,
        run: async () => {
          for (let spent = 0; spent < count; spent++) await local().provisioning.countSpent(from)
        },
      })),
    ]
  }

  #database(local: () => LocalService, database: WorldDatabase, where: string): SeedEvent {
    const run = async () => {
      const token = await this.#provision(local(), 'postgres', database, where)
      if (database.sql === undefined) return
      const sql = typeof database.sql === 'string' ? [database.sql] : database.sql
      this.#sql.push({ database: databaseName(token), sql, where: `${where}.sql` })
    }
    return { agoMs: this.#agoMsOf(database, where), where, run }
  }

  #receiver(local: () => LocalService, receiver: WorldReceiver, where: string): SeedEvent[] {
    let token = ''
    const creation: SeedEvent = {
      agoMs: this.#agoMsOf(receiver, where),
      where,
      run: async () => {
        token = await this.#provision(local(), 'webhook', receiver, where)
      },
    }
    const deliveries = (receiver.deliveries ?? []).map((delivery, at): SeedEvent => {
      const deliveryWhere = `${where}.deliveries[${at}]`
      const run = () => deliver(local().receivers, token, delivery, deliveryWhere)
      const agoMs = agoMsOf(delivery.ago)
      if (agoMs > creation.agoMs)
        throw badWorld(`${deliveryWhere}.ago`, 'the delivery is older than the receiver')
      return { agoMs, where: deliveryWhere, run }
    })
    return [creation, ...deliveries]
  }

  /**
   * Creates a resource of the world.
   *
   * @returns the token of the resource
   * @throws Refusal `bad_world` if the token is in use or the account is unknown
   */
  async #provision(
    { provisioning, ownership, store, accounts }: LocalService,
    type: ResourceType,
    { name, account: id, from = '127.0.0.1', token }: WorldDatabase | WorldReceiver,
    where: string,
  ): Promise<string> {
    if (token !== undefined && (await store.find(token)) !== undefined) {
      throw badWorld(`${where}.token`, 'another resource has the same token')
    }
    const account = id === undefined ? undefined : this.#accounts.get(id)
    if (id !== undefined && account === undefined) {
      const known = [...this.#accounts.keys()].join(', ') || 'none'
      throw badWorld(`${where}.account`, `there is no account ${JSON.stringify(id)}`, `there are ${known}`)
    }
    const bearer = account && (account.fixedToken ?? (await accounts.mint(account)))
    const caller = { bearer, address: from }
    const created = await provisioning.create(type, caller, name, { ...defined({ token }) })
    // Under the observed contract, a resource of a free account
    // has no owner at first. The account claims the resource.
    const resource = await store.find(created.token)
    if (account !== undefined && resource?.owner !== account.id) await ownership.claim(caller, created.token)
    return created.token
  }

  #agoMsOf({ ago, left }: WorldDatabase | WorldReceiver, where: string): number {
    if (left === undefined) return agoMsOf(ago)
    if (ago !== undefined) throw badWorld(where, 'ago and left are both given', 'leave one of them out')
    const leftMs = agoMsOf(left)
    if (leftMs > LIFETIME.ms)
      throw badWorld(
        `${where}.left`,
        `it is longer than the lifetime of a resource, which is ${LIFETIME.text}`,
      )
    return LIFETIME.ms - leftMs
  }
}

type WorldDelivery = NonNullable<WorldReceiver['deliveries']>[number]

/**
 * Sends a delivery of the world to its receiver, `times` times.
 *
 * @throws Refusal `bad_world` if the receiver had expired by then
 */
async function deliver(
  receivers: Receivers,
  token: string,
  { method = 'POST', query = '', headers = {}, body = '', times = 1 }: WorldDelivery,
  where: string,
): Promise<void> {
  const request = {
    method,
    path: `/webhook/receive/${token}`,
    query,
    rawHeaders: Object.entries(headers).flat(),
    body: Buffer.from(body),
  }
  for (let round = 0; round < times; round++) {
    const id = await receivers.storeDelivery(token, request)
    if (id === undefined) throw badWorld(`${where}.ago`, 'the receiver had expired by then')
  }
}

/** A database that is created after the replay. */
interface PlannedDatabase {
  readonly spec: DatabaseSpec
  readonly blocked: boolean
}

/**
 * Database provider of the replay. It creates no databases, and records which databases to create after the
 * replay.
 */
class PlannedDatabases implements DatabaseProvider {
  readonly info: ProviderInfo = { kind: 'embedded', notes: [] }
  readonly #planned = new Map<string, PlannedDatabase>()

  /** The planned databases, in the order of their creation. */
  get planned(): PlannedDatabase[] {
    return [...this.#planned.values()]
  }

  async provision(spec: DatabaseSpec): Promise<{ url: string }> {
    this.#planned.set(spec.name, { spec, blocked: false })
    // The URL is unknown until the database is created. `withDatabaseUrls` adds it.
    return { url: '' }
  }

  async setLimits(name: string, limits: DatabaseSpec['limits']): Promise<void> {
    const planned = this.#planned.get(name)
    if (planned !== undefined) this.#planned.set(name, { ...planned, spec: { ...planned.spec, limits } })
  }

  async block(name: string): Promise<void> {
    const planned = this.#planned.get(name)
    if (planned !== undefined) this.#planned.set(name, { ...planned, blocked: true })
  }

  async drop(name: string): Promise<void> {
    this.#planned.delete(name)
  }

  async stats(): Promise<DatabaseStats> {
    return { sizeBytes: 0, usedBytes: 0, connections: 0, state: 'asleep' }
  }

  async copy(): Promise<{ id: string; names: string[] }> {
    return { id: 'none', names: [] }
  }

  async putBack(): Promise<void> {}

  async forget(): Promise<void> {}

  async ready(): Promise<void> {}

  async close(): Promise<void> {}
}

/**
 * Creates the databases of a world, and runs the world's SQL in each database as its owner.
 *
 * @returns the URLs of the databases, by name
 * @throws Refusal `bad_world` for SQL that fails, or the error of the database provider
 */
export async function makeDatabases(
  databases: DatabaseProvider,
  { planned, sql }: Pick<InitialState, 'planned' | 'sql'>,
): Promise<Map<string, string>> {
  const urls = new Map<string, string>()
  for (const { spec } of planned) {
    // A data directory that the user keeps may have a database
    // of the same name, from an earlier run with the same seed.
    await databases.drop(spec.name)
    urls.set(spec.name, (await databases.provision(spec)).url)
  }
  for (const { database, sql: texts, where } of sql) {
    const url = urls.get(database)
    // A database that expired before the start of the instance was not created.
    if (url !== undefined) await runSql(url, texts, where)
  }
  for (const { spec, blocked } of planned) if (blocked) await databases.block(spec.name)
  return urls
}

async function runSql(url: string, texts: readonly string[], where: string): Promise<void> {
  const { default: pg } = await import('pg')
  const client = new pg.Client({ connectionString: url, connectionTimeoutMillis: CONNECT_MS })
  await client.connect()
  try {
    for (const text of texts) await client.query(text)
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? `${error.code} ` : ''
    throw badWorld(
      where,
      `the SQL fails with ${code}${error instanceof Error ? error.message : String(error)}`,
    )
  } finally {
    await client.end()
  }
}
