import { Refusal } from '../../../shared/errors.js'
import type { Instance } from '../../../shared/instance.js'
import { readStore } from '../../../shared/records/store-url.js'
import { defined } from '../../../shared/util/defined.js'
import type {
  DatabaseCopies,
  DatabaseLimits,
  DatabaseProvider,
  DatabaseSpec,
  DatabaseStats,
  ProviderInfo,
} from './provider.js'

export interface DatabasesOptions {
  /**
   * `embedded`, the administrator's URL of a PostgreSQL server, or a provider, which the caller closes.
   * Default: `embedded`. With a store, the default is the store's server.
   */
  databases?: string | DatabaseProvider
  /** Directory of the embedded databases. Default: a temporary directory that is removed at the end. */
  dataDirectory?: string
  /** Address of the embedded databases' port. Default `127.0.0.1`. */
  databaseHost?: string
}

/** The provider of databases, and a function that closes it if this module opened it. */
export interface OpenedDatabases {
  databases: DatabaseProvider
  close(): Promise<void>
}

/**
 * Opens the provider of databases. Embedded databases load their engine when the first one is created.
 * Without a directory, that is also when they open.
 *
 * @throws Refusal `bad_databases`, also for embedded databases with a store. The provider's own error if it
 *   cannot
 *   start.
 */
export async function openDatabases(instance: Instance, options: DatabasesOptions): Promise<OpenedDatabases> {
  const { dataDirectory } = options
  const { store } = instance
  if (store !== undefined) checkBeside(options)
  const { databases = store?.serverUrl ?? 'embedded' } = options
  if (typeof databases !== 'string') return { databases, close: async () => undefined }
  checkSource(databases)
  if (databases !== 'embedded') return owned(await openServer(instance, databases))
  // A directory is opened at the start, so that its databases are reachable and its errors are reported then.
  if (dataDirectory !== undefined) return owned(await openEmbedded(instance, options))
  await removeAbandonedOnce()
  return owned(new LazyDatabases(() => openEmbedded(instance, options)))
}

let removed: Promise<void> | undefined

/** Runs once a process, because a test may start a thousand instances. */
function removeAbandonedOnce(): Promise<void> {
  removed ??= import('./embedded/temporary-directory.js').then(module => module.removeAbandonedDirectories())
  return removed
}

/**
 * Checks that databases can come from the store's server, before anything is created. Does nothing if another
 * server is named.
 *
 * @throws Refusal `bad_databases` for embedded databases, `database_rights`
 */
export async function checkBesideStore({
  store,
  ...options
}: DatabasesOptions & { store?: string }): Promise<void> {
  const url = store === undefined ? undefined : readStore(store)?.serverUrl
  if (url === undefined) return
  checkBeside(options)
  if (options.databases !== undefined) return
  const { Admin } = await import('./server/admin.js')
  const admin = new Admin(url)
  try {
    // The store reports a server that cannot be reached.
    const there = await admin.check().then(
      () => true,
      () => false,
    )
    if (there) await admin.checkRights()
  } finally {
    await admin.close()
  }
}

/** Rejects embedded databases with a store. They belong to one process, and a store is for several. */
function checkBeside({ databases, dataDirectory }: DatabasesOptions): void {
  if (databases !== 'embedded' && dataDirectory === undefined) return
  throw new Refusal(
    'bad_databases',
    'embedded databases belong to one process, and cannot be shared as a store is',
    'leave them out for databases on the server of the store, or name another: --databases postgres://USER:PASSWORD@HOST/DATABASE',
  )
}

/**
 * Checks the form of a source of databases.
 *
 * @throws Refusal `bad_databases`
 */
export function checkSource(source: string): void {
  if (source === 'embedded' || /^postgres(ql)?:\/\//.test(source)) return
  throw new Refusal(
    'bad_databases',
    `${JSON.stringify(source)} is nothing that databases come from`,
    'it is embedded, or the URL of a PostgreSQL administrator: postgres://USER:PASSWORD@HOST/DATABASE',
  )
}

function owned(databases: DatabaseProvider): OpenedDatabases {
  return { databases, close: () => databases.close() }
}

async function openEmbedded(
  { machine, ids }: Instance,
  { dataDirectory, databaseHost }: DatabasesOptions,
): Promise<DatabaseProvider> {
  const { EmbeddedDatabases } = await import('./embedded/embedded-databases.js')
  return EmbeddedDatabases.start({
    machine,
    ids: ids.stream('databases'),
    ...defined({ dataDirectory, host: databaseHost }),
  })
}

async function openServer(
  { machine, ids, log, store }: Instance,
  adminUrl: string,
): Promise<DatabaseProvider> {
  const { ServerDatabases } = await import('./server/server-databases.js')
  const server = await ServerDatabases.start({
    machine,
    ids: ids.stream('databases'),
    adminUrl,
    // Databases that belong to resources in a store stay with them.
    keep: store !== undefined,
    shared: store !== undefined,
  })
  for (const note of server.info.notes) log.warn(note)
  return server
}

/** Opens embedded databases when the first one is requested. Most tests and many sessions request none. */
class LazyDatabases implements DatabaseProvider {
  readonly #open: () => Promise<DatabaseProvider>
  #opening: Promise<DatabaseProvider> | undefined
  #info: ProviderInfo = { kind: 'embedded', notes: [] }
  #closed = false

  /** @param open creates an embedded provider without databases */
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

  /** A provider that is not open yet is ready, because it opens when it is needed. */
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
        // The next caller tries again.
        () => {
          this.#opening = undefined
        },
      )
    }
    return this.#opening
  }
}
