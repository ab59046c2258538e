import { badWorld } from '../../../shared/world/world-error.js'
import type { DatabaseProvider } from '../databases/provider.js'
import type { Beginning } from '../world.js'

/** Longer than a database may take to open (60 s), so that it is the database that says what is wrong. In milliseconds. */
const CONNECT_MS = 75_000

/**
 * Makes the databases of a world, and runs its SQL in them as their owners.
 *
 * @returns where each is reached, by its name
 * @throws Refusal `bad_world` for SQL that fails; whatever the provider could not do
 */
export async function makeDatabases(
  databases: DatabaseProvider,
  { planned, sql }: Pick<Beginning, 'planned' | 'sql'>,
): Promise<Map<string, string>> {
  const urls = new Map<string, string>()
  for (const { spec } of planned) {
    // One may be left from an earlier run with the same seed, in a directory that is kept.
    await databases.drop(spec.name)
    urls.set(spec.name, (await databases.provision(spec)).url)
  }
  for (const { database, sql: texts, where } of sql) {
    const url = urls.get(database)
    // What has expired by the start is not there to run anything in.
    if (url !== undefined) await runSql(url, texts, where)
  }
  for (const { spec, blocked } of planned) if (blocked) await databases.block(spec.name)
  return urls
}

async function runSql(url: string, texts: readonly string[], where: string): Promise<void> {
  const { default: pg } = await import('pg')
  const client = new pg.Client({ connectionString: url, connectionTimeoutMillis: CONNECT_MS })
  await client.connect()
  try {
    for (const text of texts) await client.query(text)
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? `${error.code} ` : ''
    throw badWorld(where, `it fails with ${code}${error instanceof Error ? error.message : String(error)}`)
  } finally {
    await client.end()
  }
}
