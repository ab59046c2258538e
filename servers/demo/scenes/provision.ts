import { inDatabase } from '../cast/database.js'
import { type Database, madeDatabase } from '../resources.js'
import { same } from '../show/as-narrated.js'
import type { Narrator } from '../show/narrator.js'
import type { Stage } from '../stage.js'

/** Two databases are made by nobody in particular, and one of them is put to use. */
export async function provision(
  { agents: { ana } }: Stage,
  tell: Narrator,
): Promise<{ orders: Database; scratch: Database }> {
  tell.about('Ana has no account. What she makes is real, small, and gone in 24 hours.')
  const orders = await create('orders')
  const version = await inDatabase(orders.connection_url, async client => {
    await client.query("CREATE TABLE item (what text); INSERT INTO item VALUES ('one espresso')")
    const { rows } = await client.query<{ what: string; version: string }>(
      "SELECT what, current_setting('server_version') AS version FROM item",
    )
    same(
      'what was read back',
      rows.map(({ what }) => what),
      ['one espresso'],
    )
    return rows[0]?.version ?? ''
  })
  await tell.step({
    who: 'ana',
    does: 'connects to its URL with the Postgres client pg; creates a table, inserts a row, selects it',
    saw: `the row: "one espresso", from PostgreSQL ${version}`,
  })
  return { orders, scratch: await create('scratch') }

  async function create(name: string): Promise<Database> {
    const made = await ana.instanode.call('create_postgres', { name })
    const database = made.returned(madeDatabase)
    const { tier, limits } = database
    same('the tier', tier, 'anonymous')
    same('the limits', limits, { storage_mb: 10, connections: 2, expires_in: '24h' })
    await tell.step({
      who: 'ana',
      does: `calls create_postgres, name "${name}"`,
      saw: 'a database, anonymous tier: 10 MB, 2 connections, expires in 24h',
      upstream: made.upstream,
    })
    return database
  }
}
