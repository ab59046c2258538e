import type {
  DatabaseLimits,
  DatabaseProvider,
  DatabaseSpec,
  DatabaseStats,
} from '../../servers/instanode/databases/provider.js'

/** Databases that only remember what was asked of them: for rules that are not about Postgres. */
export class RecordingDatabases implements DatabaseProvider {
  readonly info = { kind: 'embedded', notes: [] } as const
  /** What exists, by name. */
  readonly live = new Map<string, DatabaseSpec>()
  readonly dropped: string[] = []
  readonly blocked: string[] = []
  /** How large each is said to be, in bytes; those not named take nothing. */
  readonly sizes = new Map<string, number>()
  /** Set, the next call of that method fails with it. */
  readonly failing: { provision?: Error; drop?: Error; setLimits?: Error; block?: Error; ready?: Error } = {}

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
