import pg from 'pg'

/**
 * A program, in the manner of pgbench: how often a second this process gets two small transactions done, one behind the other, over
 * connections that each have a row to themselves. A transaction is BEGIN, SELECT … FOR UPDATE, UPDATE, COMMIT. Arguments: URL,
 * connections, milliseconds, and a name for its table. Begins when a line comes on stdin; prints pairs a second.
 */
const [url, connections = '10', runMs = '2000', table = 'bench_rows'] = process.argv.slice(2)

async function client(): Promise<pg.Client> {
  const connected = new pg.Client({ connectionString: url })
  await connected.connect()
  return connected
}

async function transaction(on: pg.Client, row: number): Promise<void> {
  await on.query('BEGIN')
  await on.query({ name: 'read', text: `SELECT value FROM ${table} WHERE id = $1 FOR UPDATE`, values: [row] })
  await on.query({
    name: 'write',
    text: `UPDATE ${table} SET value = value + 1 WHERE id = $1`,
    values: [row],
  })
  await on.query('COMMIT')
}

const clients = await Promise.all(Array.from({ length: Number(connections) }, client))
const [first] = clients
await first?.query(`CREATE TABLE ${table} (id int PRIMARY KEY, value int NOT NULL)`)
await first?.query(`INSERT INTO ${table} SELECT id, 0 FROM generate_series(0, $1 - 1) AS id`, [
  clients.length,
])
process.stdout.write('ready\n')
await new Promise(resolve => process.stdin.once('data', resolve))
let pairs = 0
const end = performance.now() + Number(runMs)
await Promise.all(
  clients.map(async (on, row) => {
    while (performance.now() < end) {
      await transaction(on, row)
      await transaction(on, row)
      pairs++
    }
  }),
)
await first?.query(`DROP TABLE ${table}`)
for (const on of clients) await on.end()
process.stdout.write(`${(pairs * 1000) / Number(runMs)}\n`)
process.exit(0)
