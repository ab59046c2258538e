import type { BucketLevels, TokenBuckets } from '../../shared/clock/token-buckets.js'
import { type Refusal, wasReset } from '../../shared/errors.js'
import type { IdPositions } from '../../shared/ids.js'
import type { Instance } from '../../shared/instance.js'
import type { PartitionDump } from '../../shared/records/partition.js'
import type { Kept, StatefulPart } from '../../shared/world/stateful-part.js'
import type { World } from '../../shared/world/world.js'
import type { Contract } from './contract.js'
import type { DatabaseCopies } from './databases/provider.js'
import type { VerifiedTokens } from './domain/accounts.js'
import type { LocalService } from './domain/local-service.js'
import { databaseName, type Resource } from './domain/model.js'
import { resourcesIn, withUrls } from './domain/store.js'
import { followReplicas } from './replicas.js'
import { beginInstanode, makeDatabases } from './world.js'

export interface InstanodeStateOptions {
  instance: Instance
  contract: Contract
  local: LocalService
  /** Counts the requests of each address. Undefined: requests are not limited. */
  requests: TokenBuckets | undefined
  receiveUrl(token: string): string
  /** Answers with `refusal` all calls that a fault keeps open. */
  releaseHeld(refusal: Refusal): void
}

/** The whole state of Instanode except its databases. */
interface StateWithoutDatabases {
  readonly records: readonly PartitionDump[]
  readonly known: VerifiedTokens
  readonly requests: BucketLevels
  readonly ids: IdPositions
}

/**
 * Copies and replaces the state of Instanode: the records in the store, the databases, and the values in this
 * process.
 */
export class InstanodeState implements StatefulPart {
  readonly #options: InstanodeStateOptions
  #stopFollowing = () => {}

  constructor(options: InstanodeStateOptions) {
    this.#options = options
  }

  /**
   * Loads a world. If another replica has already loaded a world into the store, this replica uses that state
   * instead.
   *
   * @throws Refusal `bad_world` or `store_unavailable`, or the error of the database provider
   */
  async loadWorld(world: World): Promise<void> {
    const { local, instance } = this.#options
    const { records, log } = instance
    this.#stopFollowing = followReplicas({ records, log, local, state: this })
    await records.alone('instanode world', async () => {
      if (await local.store.begun()) await this.adopt()
      else await this.#load(world)
    })
  }

  /** Stops following the other replicas. */
  close(): void {
    this.#stopFollowing()
  }

  alone<T>(work: () => Promise<T>): Promise<T> {
    return this.#options.local.lock.exclusive(work)
  }

  async keep(): Promise<Kept> {
    const { local, requests, instance } = this.#options
    const records = await local.store.dump()
    const memory: StateWithoutDatabases = {
      records,
      known: local.accounts.snapshot(),
      requests: requests?.snapshot() ?? [],
      ids: instance.ids.stream('instanode').positions(),
    }
    const copies = await this.#copyDatabases(databaseNamesOf(resourcesIn(records)))
    return {
      data: { ...memory, databases: copies?.names.toSorted() ?? [] },
      prepare: () => this.#putDatabasesBack(copies),
      place: () => this.#place(memory),
      discard: async () => {
        if (copies !== undefined) await local.databases.forget(copies)
      },
    }
  }

  async begin(world: World, now: number): Promise<Kept> {
    const { contract, receiveUrl, instance } = this.#options
    const ids = instance.ids.fromBeginning()
    const options = { machine: instance.machine, ids, contract, receiveUrl }
    const { records, planned, sql, ids: positions } = await beginInstanode(world, now, options)
    const memory: StateWithoutDatabases = { records, known: [], requests: [], ids: positions }
    let urls = new Map<string, string>()
    return {
      data: { ...memory, databases: planned.map(({ spec }) => spec.name).toSorted() },
      prepare: async () => {
        urls = await this.#replaceDatabases(
          planned.map(({ spec }) => spec.name),
          () => makeDatabases(this.#options.local.databases, { planned, sql }),
        )
      },
      place: () => this.#place({ ...memory, records: withDatabaseUrls(records, urls) }),
      discard: async () => {},
    }
  }

  /** Prepares this replica for the state that another replica has loaded into the store. */
  async adopt(): Promise<void> {
    const { local } = this.#options
    await local.accounts.restore([])
    await local.reaper.replan()
  }

  /**
   * Called when another replica has replaced the state in the store. Ends the calls that a fault keeps open,
   * and drops the values in this process.
   */
  async onReplaced(): Promise<void> {
    this.#options.releaseHeld(wasReset())
    this.#options.requests?.restore([])
    await this.adopt()
  }

  async #load(world: World): Promise<void> {
    const newState = await this.begin(world, this.#options.instance.clock.now())
    await newState.prepare()
    await newState.place()
  }

  async #place({ records, known, requests, ids }: StateWithoutDatabases): Promise<void> {
    const { local, instance, requests: buckets, releaseHeld } = this.#options
    releaseHeld(wasReset())
    await local.store.load(records)
    await local.accounts.restore(known)
    buckets?.restore(requests)
    instance.ids.stream('instanode').moveTo(ids)
    await local.reaper.replan()
  }

  /**
   * Replaces all databases. If a step fails, the old databases are restored from copies. Without new
   * databases there is nothing to create that could fail, so no copies are made.
   *
   * @param names the names of the new databases
   * @param make creates the new databases
   */
  async #replaceDatabases<T>(names: readonly string[], make: () => Promise<T>): Promise<T> {
    const { databases } = this.#options.local
    const present = await this.#databaseNames()
    const copies = names.length === 0 ? undefined : await this.#copyDatabases(present)
    try {
      for (const name of present) await databases.drop(name)
      return await make()
    } catch (error) {
      for (const name of names) await databases.drop(name)
      if (copies !== undefined) await databases.putBack(copies)
      throw error
    } finally {
      if (copies !== undefined) await databases.forget(copies)
    }
  }

  async #putDatabasesBack(copies: DatabaseCopies | undefined): Promise<void> {
    const { databases } = this.#options.local
    const present = await this.#databaseNames()
    if (copies !== undefined) await databases.putBack(copies)
    for (const name of present) if (!copies?.names.includes(name)) await databases.drop(name)
  }

  async #databaseNames(): Promise<string[]> {
    return databaseNamesOf(await this.#options.local.store.resources())
  }

  /**
   * Copies databases. Does not call the provider for an empty list, because the call would open a provider
   * that is not needed.
   */
  async #copyDatabases(names: readonly string[]): Promise<DatabaseCopies | undefined> {
    return names.length === 0 ? undefined : this.#options.local.databases.copy(names)
  }
}

/** Returns the name of each database of these resources that may still exist. */
function databaseNamesOf(resources: readonly Resource[]): string[] {
  return resources
    .filter(
      ({ type, status, reapAt }) =>
        type === 'postgres' && (reapAt !== null || !DATABASE_IS_REMOVED.includes(status)),
    )
    .map(({ token }) => databaseName(token))
}

/** A resource with one of these statuses has no database after the reaper has removed it: `reapAt` is then null. */
const DATABASE_IS_REMOVED: readonly Resource['status'][] = ['expired', 'deleted', 'reaped']

/**
 * Returns the records with the URLs of the databases that now exist.
 *
 * @param urls URLs by the name of the database
 */
function withDatabaseUrls(
  records: readonly PartitionDump[],
  urls: ReadonlyMap<string, string>,
): readonly PartitionDump[] {
  const byToken = resourcesIn(records).flatMap(({ type, token }) => {
    const url = type === 'postgres' ? urls.get(databaseName(token)) : undefined
    return url === undefined ? [] : [[token, url] as const]
  })
  return withUrls(records, new Map(byToken))
}
