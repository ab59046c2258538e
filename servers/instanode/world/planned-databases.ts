import type { DatabaseProvider, DatabaseSpec, DatabaseStats, ProviderInfo } from '../databases/provider.js'

/** A database that is to be there once the world is in place. */
export interface PlannedDatabase {
  readonly spec: DatabaseSpec
  readonly blocked: boolean
}

/** Databases that are only planned: a world is made aside, and its databases with its being put in place. */
export class PlannedDatabases implements DatabaseProvider {
  readonly info: ProviderInfo = { kind: 'embedded', notes: [] }
  readonly #planned = new Map<string, PlannedDatabase>()

  /** In the order in which they were asked for. */
  get planned(): PlannedDatabase[] {
    return [...this.#planned.values()]
  }

  async provision(spec: DatabaseSpec): Promise<{ url: string }> {
    this.#planned.set(spec.name, { spec, blocked: false })
    // Known when it is made.
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
