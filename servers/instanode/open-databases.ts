import type { Instance } from '../../shared/instance.js'
import type { DatabaseProvider } from './databases/provider.js'

export interface DatabasesOptions {
  /** Where embedded databases live and stay. Default: a temporary directory, removed at the end. */
  dataDirectory?: string
  /** Address of their port. Default `127.0.0.1`. */
  host?: string
}

/**
 * Opens the embedded databases; their engine is loaded when the first one is made.
 *
 * @throws Refusal if the directory cannot be had
 */
export async function openDatabases(
  instance: Instance,
  options: DatabasesOptions,
): Promise<DatabaseProvider> {
  const { EmbeddedDatabases } = await import('./databases/embedded/embedded-databases.js')
  const { dataDirectory, host } = options
  return EmbeddedDatabases.start({
    machine: instance.machine,
    ids: instance.ids.stream('databases'),
    ...(dataDirectory !== undefined && { dataDirectory }),
    ...(host !== undefined && { host }),
  })
}
