import { MEMORY } from '../../shared/records/store-url.js'
import type { InstanceOptions, StoreOptions } from './instance.js'

/** What an instance may be told, with its store by name. */
export interface StoredOptions extends Omit<InstanceOptions, 'store'> {
  /**
   * Where all is kept: `memory`, or the `postgres://` URL of a store that is shared with whoever names it.
   * Default `memory`.
   */
  store?: string
}

/** A store at a `postgres://` URL, with all that the servers keep there. */
export async function storeAt(url: string): Promise<StoreOptions> {
  const { INSTANODE_MIGRATIONS } = await import('../instanode/store/postgres/migrations.js')
  const { SAFEBOT_MIGRATIONS } = await import('../safebot/store/postgres/migrations.js')
  return { url, migrations: [...SAFEBOT_MIGRATIONS, ...INSTANODE_MIGRATIONS] }
}

/** The same for the instance itself. */
export async function withStore({ store = MEMORY, ...options }: StoredOptions): Promise<InstanceOptions> {
  return store === MEMORY ? options : { ...options, store: await storeAt(store) }
}
