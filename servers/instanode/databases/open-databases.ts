import { Refusal } from '../../../shared/errors.js'
import type { Instance } from '../../../shared/instance.js'
import { serverOf } from '../../../shared/records/store-url.js'
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
   * `embedded`, the URL of an administrator of a PostgreSQL server, or a provider, which its giver closes.
   * Default: `embedded`; with a store, the server that it is on.
   */
  databases?: string | DatabaseProvider
  /** Where embedded databases live and stay. Default: a temporary directory, removed at the end. */
  dataDirectory?: string
  /** Address of their port. Default `127.0.0.1`. */
  databaseHost?: string
}

/** What databases come from, and how to be rid of it. */
export interface OpenedDatabases {
  databases: DatabaseProvider
  close(): Promise<void>
}

/**
 * Opens what live databases come from. Embedded ones load their engine, and without a directory open at all, only when
 * the first one is made.
 *
 * @throws Refusal `bad_databases`, also for embedded ones beside a store; the provider's own if it cannot start
 */
export async function openDatabases(instance: Instance, options: DatabasesOptions): Promise<OpenedDatabases> {
  const { dataDirectory } = options
  const { store } = instance
  if (store !== undefined) checkBeside(options)
  const { databases = store?.serverUrl ?? 'embedded' } = options
  if (typeof databases !== 'string') return { databases, close: async () => undefined }
  checkSource(databases)
  if (databases !== 'embedded') return owned(await openServer(instance, databases))
  // What is kept in a directory has to be there from the start, and what is wrong with it has to be said then.
  if (dataDirectory !== undefined) return owned(await openEmbedded(instance, options))
  await removeAbandonedOnce()
  return owned(new LazyDatabases(() => openEmbedded(instance, options)))
}

let removed: Promise<void> | undefined

/** Once a process is enough, and a test may start a thousand instances. */
function removeAbandonedOnce(): Promise<void> {
  removed ??= import('./embedded/temporary-directory.js').then(module => module.removeAbandonedDirectories())
  return removed
}

/**
 * Whether databases can come from the server of a store, where nobody names another: asked before anything is made there.
 *
 * @throws Refusal `bad_databases` for embedded ones; `database_rights`
 */
export async function checkBesideStore({
  store,
  ...options
}: DatabasesOptions & { store?: string }): Promise<void> {
  const url = store === undefined ? undefined : serverOf(store)
  if (url === undefined) return
  checkBeside(options)
  if (options.databases !== undefined) return
  const { Admin } = await import('./server/admin.js')
  const admin = new Admin(url)
  try {
    // A server that is not there is the store's to tell of.
    const there = await admin.check().then(
      () => true,
      () => false,
    )
    if (there) await admin.checkRights()
  } finally {
    await admin.close()
  }
}

/** Embedded databases belong to one process, and what is in a store to several. */
function checkBeside({ databases, dataDirectory }: DatabasesOptions): void {
  if (databases !== 'embedded' && dataDirectory === undefined) return
  throw new Refusal(
    'bad_databases',
    'embedded databases belong to one process, and cannot be shared as a store is',
    'leave them out for databases on the server of the store, or name another: --databases postgres://USER:PASSWORD@HOST/DATABASE',
  )
}

/**
 * Whether databases can come from there, going by its form.
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
    // Those of resources that are in a store live on with them.
    keep: store !== undefined,
    shared: store !== undefined,
  })
  for (const note of server.info.notes) log.warn(note)
  return server
}

/** Databases that are opened with the first one asked for: most tests and many sessions never ask. */
class LazyDatabases implements DatabaseProvider {
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
