import type {
  DatabaseCopies,
  DatabaseLimits,
  DatabaseProvider,
  DatabaseSpec,
  DatabaseStats,
  ProviderInfo,
} from './provider.js'

/** Databases that are opened with the first one asked for: most tests and many sessions never ask. */
export class LazyDatabases implements DatabaseProvider {
  readonly #open: () => Promise<DatabaseProvider>
  #opening: Promise<DatabaseProvider> | undefined
  #info: ProviderInfo = { kind: 'embedded', notes: [] }
  #closed = false

  /** @param open makes an embedded provider that holds nothing yet */
  constructor(open: () => Promise<DatabaseProvider>) {
    this.#open = open
  }

  get info(): ProviderInfo {
    return this.#info
  }

  async provision(spec: DatabaseSpec, signal?: AbortSignal): Promise<{ url: string }> {
    return (await this.#opened()).provision(spec, signal)
  }

  async setLimits(name: string, limits: DatabaseLimits): Promise<void> {
    await (await this.#opened()).setLimits(name, limits)
  }

  async block(name: string): Promise<void> {
    await (await this.#opened()).block(name)
  }

  async drop(name: string): Promise<void> {
    await (await this.#opening)?.drop(name)
  }

  async stats(name: string): Promise<DatabaseStats> {
    return (await this.#opened()).stats(name)
  }

  async copy(names: readonly string[]): Promise<DatabaseCopies> {
    return (await this.#opening)?.copy(names) ?? { id: 'none', names: [] }
  }

  async putBack(copies: DatabaseCopies): Promise<void> {
    if (copies.names.length > 0) await (await this.#opened()).putBack(copies)
  }

  async forget(copies: DatabaseCopies): Promise<void> {
    await (await this.#opening)?.forget(copies)
  }

  /** One that is not open yet is ready: it opens when it has to. */
  async ready(): Promise<void> {
    if (this.#closed) throw new Error('the databases are closed')
    await (await this.#opening)?.ready()
  }

  async close(): Promise<void> {
    this.#closed = true
    await (await this.#opening?.catch(() => undefined))?.close()
  }

  #opened(): Promise<DatabaseProvider> {
    if (this.#closed) throw new Error('the databases are closed')
    if (this.#opening === undefined) {
      const opening = this.#open()
      this.#opening = opening
      opening.then(
        ({ info }) => {
          this.#info = info
        },
        // The next caller tries anew.
        () => {
          this.#opening = undefined
        },
      )
    }
    return this.#opening
  }
}
