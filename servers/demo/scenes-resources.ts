import pg from 'pg'
import { z } from 'zod'
import type { InstanodeView } from '../understudy/control-client.js'
import { assertEqual, assertPresent } from './assertions.js'
import type { Narrator } from './narrator.js'
import type { Stage } from './stage.js'

const databaseSchema = z.object({
  token: z.string(),
  connection_url: z.string(),
  tier: z.string(),
  limits: z.object({ storage_mb: z.int(), connections: z.int(), expires_in: z.string() }),
})
const receiverSchema = z.object({ token: z.string(), receive_url: z.string() })

/** The results of `create_postgres` and `create_webhook`. */
export type Database = z.infer<typeof databaseSchema>
export type Receiver = z.infer<typeof receiverSchema>

const DAY_MS = 24 * 60 * 60 * 1000

/** Ana creates two databases, and uses one of them. */
export async function createDatabases(
  { ana }: Stage,
  narrator: Narrator,
): Promise<{ orders: Database; scratch: Database }> {
  narrator.about('Ana has no account. Her resources are real and small, and expire after 24 hours.')
  const orders = await create('orders')
  const row = await withClient(orders.connection_url, async client => {
    await client.query("CREATE TABLE item (what text); INSERT INTO item VALUES ('one espresso')")
    const select = "SELECT what, current_setting('server_version') AS version FROM item"
    return (await client.query<{ what: string; version: string }>(select)).rows[0]
  })
  assertEqual('the row in "orders"', row?.what, 'one espresso')
  await narrator.step(
    'ana',
    'connects to its URL with the PostgreSQL client pg, creates a table, inserts a row, selects it',
    `the row: "one espresso", from PostgreSQL ${row?.version}`,
  )
  return { orders, scratch: await create('scratch') }

  async function create(name: string): Promise<Database> {
    const call = await ana.instanode.call('create_postgres', { name })
    const database = call.returned(databaseSchema)
    assertEqual('the tier', database.tier, 'anonymous')
    assertEqual('the limits', database.limits, { storage_mb: 10, connections: 2, expires_in: '24h' })
    await narrator.step(
      'ana',
      `calls create_postgres, name "${name}"`,
      'a database, anonymous tier: 10 MB, 2 connections, expires in 24h',
      call.upstream,
    )
    return database
  }
}

/** Ana creates a webhook receiver, and a shop sends a request to it. */
export async function receiveWebhook({ ana }: Stage, narrator: Narrator): Promise<Receiver> {
  narrator.about('A webhook receiver is a URL that keeps the requests sent to it.')
  const call = await ana.instanode.call('create_webhook', { name: 'inbox' })
  const inbox = call.returned(receiverSchema)
  await narrator.step('ana', 'calls create_webhook, name "inbox"', 'a receiver, and its URL', call.upstream)

  const body = '{"paid":true}'
  const delivery = await fetch(inbox.receive_url, { method: 'POST', body })
  assertEqual('the status of the delivery', delivery.status, 200)
  await narrator.step('a shop', `POSTs ${body} to that URL`, 'HTTP 200')

  const kept = z.object({ requests: z.array(z.object({ method: z.string(), body: z.string() })) })
  const { requests } = kept.parse(await (await fetch(inbox.receive_url)).json())
  assertEqual('the kept requests', requests, [{ method: 'POST', body }])
  await narrator.step('ana', 'GETs that URL', `one request: POST ${body}`)
  return inbox
}

/** Ben claims resources of Ana for his account, and their limits rise. */
export async function claimResources(
  stage: Stage,
  narrator: Narrator,
  { orders, inbox }: { orders: Database; inbox: Receiver },
): Promise<void> {
  narrator.about(
    'Ben works for a paid account. Only the gateway knows the credential of the account. The token of a',
    'resource is enough to claim the resource.',
  )
  await checkLimits(10, 2, false)
  for (const [name, { token }] of Object.entries({ orders, inbox })) {
    const call = await stage.ben.instanode.call('claim_token', { token })
    const claimed = call.returned(z.object({ name: z.string(), tier: z.string() }))
    assertEqual('the claimed resource', claimed, { name, tier: 'paid' })
    await narrator.step(
      'ben',
      `calls claim_token with the token of "${name}"`,
      'claimed: paid tier',
      call.upstream,
    )
  }
  await checkLimits(500, 5, true)

  /** Compares the limits that Instanode states, and the connections that the database accepts. */
  async function checkLimits(storageMb: number, connections: number, permanent: boolean): Promise<void> {
    const known = (await resources(stage)).find(({ name }) => name === 'orders')
    const { limits: stated, expiresAt } = assertPresent('the resource "orders"', known)
    assertEqual('the limits of "orders"', stated, { storageMb, connections })
    assertEqual('whether "orders" is permanent', expiresAt === null, permanent)
    const accepted = await countSessions(orders.connection_url, connections + 1)
    assertEqual('connections that "orders" accepts', accepted, connections)
    const expiry =
      expiresAt === null ? 'never expires' : `expires ${expiresAt.slice(0, 16).replace('T', ' ')}`
    await narrator.step(
      'anyone',
      'opens connections to "orders" until one is rejected',
      `${accepted} connections, then a rejection. The database may grow to ${storageMb} MB and ${expiry}`,
    )
  }
}

/** The clock moves by a day: the unclaimed database expires, and the claimed one stays. */
export async function expireResources(
  stage: Stage,
  narrator: Narrator,
  { orders, scratch }: { orders: Database; scratch: Database },
): Promise<void> {
  const names = async () => (await resources(stage)).map(({ name }) => name)
  narrator.about('"scratch" was never claimed. "orders" belongs to the account.')
  assertEqual('the error of a connection to "scratch"', await connectError(scratch.connection_url), undefined)
  assertEqual('the resources', await names(), ['orders', 'scratch'])
  await stage.understudy.clock.advance(DAY_MS)
  assertEqual('the resources', await names(), ['orders'])
  await narrator.step('clock', '+24 h: unclaimed resources expire, with their logins')

  const error = assertPresent('the error of "scratch"', await connectError(scratch.connection_url))
  await narrator.step('ana', 'connects to "scratch" with pg', `rejected: ${error}`)

  const { rows } = await withClient(orders.connection_url, client => client.query('SELECT what FROM item'))
  assertEqual('the rows of "orders"', rows, [{ what: 'one espresso' }])
  await narrator.step('ana', 'connects to "orders"', 'the row: "one espresso"')
}

/** Returns the resources that the control plane shows. */
async function resources({ control }: Stage): Promise<InstanodeView['resources']> {
  const { instanode } = await control.state()
  return assertPresent('the state of Instanode', instanode).resources
}

async function withClient<T>(url: string, use: (client: pg.Client) => Promise<T>): Promise<T> {
  const client = await openClient(url)
  try {
    return await use(client)
  } finally {
    await client.end()
  }
}

/** Counts the sessions that a database accepts at once. @param max where to stop */
async function countSessions(url: string, max: number): Promise<number> {
  const open: pg.Client[] = []
  try {
    while (open.length < max) open.push(await openClient(url))
  } catch (error) {
    if (!(error instanceof pg.DatabaseError && error.code === '53300')) throw error // too_many_connections
  } finally {
    for (const client of open) await client.end()
  }
  return open.length
}

/** Returns the error message of PostgreSQL for a new connection, or undefined if the connection is accepted. */
async function connectError(url: string): Promise<string | undefined> {
  try {
    return await withClient(url, async () => undefined)
  } catch (error) {
    if (error instanceof pg.DatabaseError) return error.message
    throw error
  }
}

async function openClient(url: string): Promise<pg.Client> {
  const client = new pg.Client(url)
  // The server may end a session. Without a listener, the error would end the demo.
  client.on('error', () => undefined)
  await client.connect()
  return client
}
