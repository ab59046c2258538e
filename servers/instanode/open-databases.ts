import { Refusal } from '../../shared/errors.js'
import type { Instance } from '../../shared/instance.js'
import type { DatabaseProvider } from './databases/provider.js'

export interface DatabasesOptions {
  /** `embedded` (the default), the URL of an administrator of a PostgreSQL server, or a provider, which its giver closes. */
  databases?: string | DatabaseProvider
  /** Where embedded databases live and stay. Default: a temporary directory, removed at the end. */
  dataDirectory?: string
  /** Address of their port. Default `127.0.0.1`. */
  databaseHost?: string
}

/**
 * Opens what live databases come from. The embedded engine is loaded when the first database is made, not here.
 *
 * @throws Refusal `bad_databases`, or the provider's own if it cannot start
 */
export async function openDatabases(
  { machine, ids, log }: Instance,
  { databases = 'embedded', dataDirectory, databaseHost }: DatabasesOptions,
): Promise<{ databases: DatabaseProvider; close(): Promise<void> }> {
  if (typeof databases !== 'string') return { databases, close: async () => undefined }
  const common = { machine, ids: ids.stream('databases') }
  if (databases === 'embedded') {
    const { EmbeddedDatabases } = await import('./databases/embedded/embedded-databases.js')
    const embedded = await EmbeddedDatabases.start({
      ...common,
      ...(dataDirectory !== undefined && { dataDirectory }),
      ...(databaseHost !== undefined && { host: databaseHost }),
    })
    return { databases: embedded, close: () => embedded.close() }
  }
  if (!/^postgres(ql)?:\/\//.test(databases)) {
    throw new Refusal(
      'bad_databases',
      `${JSON.stringify(databases)} is nothing that databases come from`,
      'it is embedded, or the URL of a PostgreSQL administrator: postgres://USER:PASSWORD@HOST/DATABASE',
    )
  }
  const { ServerDatabases } = await import('./databases/server/server-databases.js')
  const server = await ServerDatabases.start({ ...common, adminUrl: databases })
  for (const note of server.info.notes) log.warn(note)
  return { databases: server, close: () => server.close() }
}
