import type { StoreOptions } from '../shared/instance.js'

/** A store at a `postgres://` URL, with all that the servers keep there. */
export async function storeAt(url: string): Promise<StoreOptions> {
  const { INSTANODE_MIGRATIONS } = await import('./instanode/store/postgres/migrations.js')
  const { SAFEBOT_MIGRATIONS } = await import('./safebot/store/postgres/migrations.js')
  return { url, migrations: [...SAFEBOT_MIGRATIONS, ...INSTANODE_MIGRATIONS] }
}
