import type { BucketLevels, TokenBuckets } from '../../shared/clock/token-buckets.js'
import { type Refusal, wasReset } from '../../shared/errors.js'
import type { IdPositions } from '../../shared/ids.js'
import type { Instance } from '../../shared/instance.js'
import type { Kept, StatefulPart } from '../../shared/world/stateful-part.js'
import type { World } from '../../shared/world/world.js'
import type { Contract } from './contract.js'
import type { Core } from './core.js'
import type { DatabaseCopies, DatabaseProvider } from './databases/provider.js'
import type { KnownTokens } from './domain/accounts.js'
import { databaseName, type Resource } from './domain/model.js'
import type { InstanodeTables } from './store/store.js'
import { beginInstanode, makeDatabases } from './world.js'

export interface InstanodeStateOptions {
  instance: Instance
  contract: Contract
  core: Core
  databases: DatabaseProvider
  /** How often addresses have called, if that is limited. */
  requests: TokenBuckets | undefined
  receiveUrl(token: string): string
  /** Answers what waits elsewhere than in the service. */
  releaseHeld(refusal: Refusal): void
}

/** All that Instanode knows, but for its databases. */
interface Memory {
  readonly tables: InstanodeTables
  readonly known: KnownTokens
  readonly requests: BucketLevels
  readonly ids: IdPositions
}

/** Instanode's state: what its store holds, its databases, and what it remembers beside. */
export class InstanodeState implements StatefulPart {
  readonly #options: InstanodeStateOptions

  constructor(options: InstanodeStateOptions) {
    this.#options = options
  }

  alone<T>(work: () => Promise<T>): Promise<T> {
    return this.#options.core.gate.alone(work)
  }

  async keep(): Promise<Kept> {
    const { core, databases, requests, instance } = this.#options
    const tables = await core.store.dump()
    const memory: Memory = {
      tables,
      known: core.accounts.snapshot(),
      requests: requests?.snapshot() ?? [],
      ids: instance.ids.stream('instanode').positions(),
    }
    const copies = await this.#copy(namesOf(tables.resources))
    return {
      data: { ...memory, databases: copies?.names.toSorted() ?? [] },
      prepare: () => this.#putBack(copies),
      place: () => this.#place(memory),
      discard: async () => {
        if (copies !== undefined) await databases.forget(copies)
      },
    }
  }

  async begin(world: World, now: number): Promise<Kept> {
    const { contract, receiveUrl, instance } = this.#options
    const ids = instance.ids.fromBeginning()
    const options = { machine: instance.machine, ids, contract, receiveUrl }
    const { tables, planned, sql, ids: positions } = await beginInstanode(world, now, options)
    const memory: Memory = { tables, known: [], requests: [], ids: positions }
    let urls = new Map<string, string>()
    return {
      data: { ...memory, databases: planned.map(({ spec }) => spec.name).toSorted() },
      prepare: async () => {
        urls = await this.#anew(
          planned.map(({ spec }) => spec.name),
          () => makeDatabases(this.#options.databases, { planned, sql }),
        )
      },
      place: () => this.#place({ ...memory, tables: reachedAt(tables, urls) }),
      discard: async () => {},
    }
  }

  /** Begins with what the store holds: another replica has put it there. */
  async adopt(): Promise<void> {
    const { core } = this.#options
    await core.accounts.restore([])
    await core.reaper.rearm()
  }

  /** Goes on with what another replica has put in place of all that there was: nothing that was remembered of it is true. */
  async replaced(): Promise<void> {
    this.#options.releaseHeld(wasReset())
    this.#options.requests?.restore([])
    await this.adopt()
  }

  async #place({ tables, known, requests, ids }: Memory): Promise<void> {
    const { core, instance, requests: buckets, releaseHeld } = this.#options
    releaseHeld(wasReset())
    await core.store.load(tables)
    await core.accounts.restore(known)
    buckets?.restore(requests)
    instance.ids.stream('instanode').moveTo(ids)
    await core.reaper.rearm()
  }

  /** Replaces the databases there are; if that fails, they are put back. @param names those there are to be */
  async #anew<T>(names: readonly string[], make: () => Promise<T>): Promise<T> {
    const { databases } = this.#options
    const present = await this.#present()
    const copies = names.length === 0 ? undefined : await this.#copy(present)
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

  async #putBack(copies: DatabaseCopies | undefined): Promise<void> {
    const { databases } = this.#options
    const present = await this.#present()
    if (copies !== undefined) await databases.putBack(copies)
    for (const name of present) if (!copies?.names.includes(name)) await databases.drop(name)
  }

  async #present(): Promise<string[]> {
    return namesOf((await this.#options.core.store.dump()).resources)
  }

  /** Without databases their source is not asked: it may have yet to be opened. */
  async #copy(names: readonly string[]): Promise<DatabaseCopies | undefined> {
    return names.length === 0 ? undefined : this.#options.databases.copy(names)
  }
}

/** The databases that there may be. */
function namesOf(resources: readonly Resource[]): string[] {
  return resources
    .filter(({ type, status, reapAt }) => type === 'postgres' && (reapAt !== null || !OVER.includes(status)))
    .map(({ token }) => databaseName(token))
}

/** Of what is so, and has nothing left to be reaped, there is no database any more. */
const OVER: readonly Resource['status'][] = ['expired', 'deleted', 'reaped']

function reachedAt(tables: InstanodeTables, urls: ReadonlyMap<string, string>): InstanodeTables {
  const resources = tables.resources.map(resource => {
    const url = urls.get(databaseName(resource.token))
    return resource.type !== 'postgres' || url === undefined ? resource : { ...resource, url }
  })
  return { ...tables, resources }
}
