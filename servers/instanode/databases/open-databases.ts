import { Refusal } from '../../../shared/errors.js'
import type { Instance } from '../../../shared/instance.js'
import { readStore } from '../../../shared/records/store-url.js'
import { defined } from '../../../shared/util/objects.js'
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
   * The source of databases: `embedded`, the URL of a PostgreSQL server with an
   * administrator's login, or an open provider. The caller closes a provider that it
   * passes. Default: the PostgreSQL server of the store, or `embedded` without a store.
   */
  databases?: string | DatabaseProvider
  /** Data directory of the embedded databases. Default: a temporary directory that is removed at close. */
  dataDirectory?: string
  /** Address on which the port of the embedded databases listens. Default `127.0.0.1`. */
  databaseHost?: string
}

/** A provider of databases. `close` closes the provider, unless the caller passed it. */
export interface OpenedDatabases {
  databases: DatabaseProvider
  close(): Promise<void>
}

/**
 * Opens the provider of databases. Embedded databases load their engine at the first `provision`. Without a
 * data directory, they also open their port only then.
 *
 * @throws Refusal `bad_databases` for an unknown source, and for embedded databases together with a store. If
 *   the provider cannot start, the provider's own error.
 */
export async function openDatabases(instance: Instance, options: DatabasesOptions): Promise<OpenedDatabases> {
  const { dataDirectory } = options
  const { store } = instance
  if (store !== undefined) rejectEmbedded(options)
  const { databases = store?.serverUrl ?? 'embedded' } = options
  if (typeof databases !== 'string') return { databases, close: async () => undefined }
  checkSource(databases)
  if (databases !== 'embedded') return ownedDatabases(await openServer(instance, databases))
  // A data directory may have databases from an earlier start, so it
  // is opened now: clients can reach them, and errors show early.
  if (dataDirectory !== undefined) return ownedDatabases(await openEmbedded(instance, options))
  await removeAbandonedOnce()
  return ownedDatabases(new LazyDatabases(() => openEmbedded(instance, options)))
}

let removingAbandoned: Promise<void> | undefined

/**
 * Removes the temporary directories of killed processes, once in this process. A test may start a thousand
 * instances.
 */
function removeAbandonedOnce(): Promise<void> {
  removingAbandoned ??= import('./embedded/temporary-directory.js').then(module =>
    module.removeAbandonedDirectories(),
  )
  return removingAbandoned
}

/**
 * Checks the options for databases against a store, before anything is created. If the databases come from
 * the store's server, checks that the role may create them.
 *
 * @throws Refusal `bad_databases` for embedded databases, `database_rights` if the role may not create
 *   databases
 */
export async function checkBesideStore({
  store,
  ...options
}: DatabasesOptions & { store?: string }): Promise<void> {
  const url = store === undefined ? undefined : readStore(store)?.serverUrl
  if (url === undefined) return
  rejectEmbedded(options)
  if (options.databases !== undefined) return
  const { Admin } = await import('./server/admin.js')
  const admin = new Admin(url)
  try {
    // A server that cannot be reached is no error here, because the store reports it.
    const serverAnswers = await admin.check().then(
      () => true,
      () => false,
    )
    if (serverAnswers) await admin.checkRights()
  } finally {
    await admin.close()
  }
}

/**
 * Rejects embedded databases together with a store. Embedded databases belong to one process, and several
 * processes share a store.
 */
function rejectEmbedded({ databases, dataDirectory }: DatabasesOptions): void {
  if (databases !== 'embedded' && dataDirectory === undefined) return
  throw new Refusal(
    'bad_databases',
    'embedded databases belong to one process, so they cannot be used with a store',
    'leave out --databases embedded and --data-dir to use the server of the store, ' +
      'or name a server: --databases postgres://USER:PASSWORD@HOST/DATABASE',
  )
}

/**
 * Checks the form of a source of databases: `embedded` or a PostgreSQL URL.
 *
 * @throws Refusal `bad_databases`
 */
export function checkSource(source: string): void {
  if (source === 'embedded' || /^postgres(ql)?:\/\//.test(source)) return
  throw new Refusal(
    'bad_databases',
    `${JSON.stringify(source)} is not a source of databases`,
    'use embedded, or the URL of a PostgreSQL server: postgres://USER:PASSWORD@HOST/DATABASE',
  )
}

function ownedDatabases(databases: DatabaseProvider): OpenedDatabases {
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
    // Resources in a store outlive this process, so their databases must stay too.
    keep: store !== undefined,
    shared: store !== undefined,
  })
  for (const note of server.info.notes) log.warn(note)
  return server
}

/** Opens embedded databases at the first `provision`. Most tests and many sessions create no database. */
class LazyDatabases implements DatabaseProvider {
  readonly #open: () => Promise<DatabaseProvider>
  #opening: Promise<DatabaseProvider> | undefined
  #info: ProviderInfo = { kind: 'embedded', notes: [] }
  #closed = false

  /** @param open opens an embedded provider that has no databases yet */
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

  /** A provider that is not open yet counts as ready, because it opens when it is needed. */
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
        // The next call tries to open again.
        () => {
          this.#opening = undefined
        },
      )
    }
    return this.#opening
  }
}
