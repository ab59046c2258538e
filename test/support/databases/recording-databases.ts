import type {
  DatabaseCopies,
  DatabaseLimits,
  DatabaseProvider,
  DatabaseSpec,
  DatabaseStats,
} from '../../../servers/instanode/databases/provider.js'

/** Databases that only remember what was asked of them: for rules that are not about Postgres. */
export class RecordingDatabases implements DatabaseProvider {
  readonly info = { kind: 'embedded', notes: [] } as const
  /** The existing databases, by name. */
  readonly live = new Map<string, DatabaseSpec>()
  readonly dropped: string[] = []
  readonly blocked: string[] = []
  /** How large each is said to be, in bytes; those not named take nothing. */
  readonly sizes = new Map<string, number>()
  /** Set, the next call of that method fails with it. */
  readonly failing: Partial<
    Record<'provision' | 'drop' | 'setLimits' | 'block' | 'putBack' | 'ready', Error>
  > = {}
  /** By id, what was live. */
  readonly copies = new Map<string, Map<string, DatabaseSpec>>()
  #copied = 0

  async provision(spec: DatabaseSpec): Promise<{ url: string }> {
    this.#failOnce('provision')
    this.live.set(spec.name, spec)
    return { url: `postgres://${spec.user}:${spec.password}@127.0.0.1:5432/${spec.name}` }
  }

  async setLimits(name: string, limits: DatabaseLimits): Promise<void> {
    this.#failOnce('setLimits')
    const spec = this.live.get(name)
    if (spec === undefined) throw new Error(`there is no database ${name}`)
    this.live.set(name, { ...spec, limits })
  }

  async block(name: string): Promise<void> {
    this.#failOnce('block')
    this.blocked.push(name)
  }

  async drop(name: string): Promise<void> {
    this.#failOnce('drop')
    this.live.delete(name)
    this.dropped.push(name)
  }

  async stats(name: string): Promise<DatabaseStats> {
    const sizeBytes = this.sizes.get(name) ?? 0
    return { sizeBytes, usedBytes: sizeBytes, connections: 0, state: 'awake' }
  }

  async copy(names: readonly string[]): Promise<DatabaseCopies> {
    const there = [...this.live].filter(([name]) => names.includes(name))
    const copies = { id: String(++this.#copied), names: there.map(([name]) => name) }
    this.copies.set(copies.id, new Map(there))
    return copies
  }

  async putBack({ id }: DatabaseCopies): Promise<void> {
    this.#failOnce('putBack')
    for (const [name, spec] of this.copies.get(id) ?? []) this.live.set(name, spec)
  }

  async forget({ id }: DatabaseCopies): Promise<void> {
    this.copies.delete(id)
  }

  async ready(): Promise<void> {
    this.#failOnce('ready')
  }

  async close(): Promise<void> {}

  #failOnce(method: keyof RecordingDatabases['failing']): void {
    const error = this.failing[method]
    delete this.failing[method]
    if (error !== undefined) throw error
  }
}
