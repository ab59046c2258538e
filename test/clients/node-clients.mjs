// node-pg, postgres.js and knex, as installed in the folder that is the first argument. Prints a line per check.
import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'

const [folder = '.', client = ''] = process.argv.slice(2)
const url = process.env.DATABASE_URL ?? ''
const require = createRequire(join(folder, 'index.js'))
const load = async name => {
  const module = await import(require.resolve(name))
  return module.default ?? module
}
const installed = name => JSON.parse(readFileSync(join(folder, 'node_modules', name, 'package.json'), 'utf8'))

async function check(name, work) {
  let result = 'ok'
  try {
    await work()
  } catch (error) {
    result = String(error?.message ?? error).split('\n')[0]
  }
  process.stdout.write(`${client}\t${installed(PACKAGES[client]).version}\t${name}\t${result}\n`)
}

function same(got, wanted) {
  if (String(got) !== String(wanted)) throw new Error(`got ${got} instead of ${wanted}`)
}

async function fails(work, wanted) {
  const message = await work.then(
    () => 'no error',
    error => String(error.message),
  )
  if (!message.includes(wanted)) throw new Error(`${message} instead of ${wanted}`)
}

const PACKAGES = { 'node-pg': 'pg', 'postgres.js': 'postgres', knex: 'knex' }

const CLIENTS = {
  'node-pg': async () => {
    const { Client } = await load('pg')
    const [a, b] = [new Client(url), new Client(url)]
    await check('connect', () => Promise.all([a.connect(), b.connect()]))
    await check('query', async () => same((await a.query('SELECT 41 + $1::int AS n', [1])).rows[0].n, 42))
    await check('prepared statement', async () => {
      for (const n of [1, 2, 3])
        same((await a.query({ name: 'next', text: 'SELECT $1::int + 1 AS n', values: [n] })).rows[0].n, n + 1)
    })
    await check('transaction', async () => {
      await a.query('BEGIN')
      await a.query('CREATE TABLE undone (n int)')
      await a.query('ROLLBACK')
      same((await a.query(`SELECT to_regclass('undone') AS t`)).rows[0].t, null)
    })
    await check('cancel', async () => {
      const cancelled = fails(a.query('SELECT pg_sleep(30)'), 'canceling statement')
      await sleep(500)
      same((await b.query('SELECT pg_cancel_backend($1) AS done', [a.processID])).rows[0].done, true)
      await cancelled
    })
    await Promise.all([a.end(), b.end()])
  },
  'postgres.js': async () => {
    const postgres = await load('postgres')
    const sql = postgres(url, { max: 2, onnotice: () => undefined })
    await check('connect', () => sql`SELECT 1`)
    await check('query', async () => same((await sql`SELECT 41 + ${1}::int AS n`)[0].n, 42))
    await check('prepared statement', async () => {
      for (const n of [1, 2, 3]) same((await sql`SELECT ${n}::int + 1 AS n`)[0].n, n + 1)
    })
    await check('transaction', async () => {
      const undone = sql.begin(async tx => {
        await tx`CREATE TABLE undone (n int)`
        throw new Error('undo')
      })
      await fails(undone, 'undo')
      same((await sql`SELECT to_regclass('undone') AS t`)[0].t, null)
    })
    await check('cancel', async () => {
      const query = sql`SELECT pg_sleep(30)`
      const cancelled = fails(query.execute(), 'canceling statement')
      await sleep(500)
      query.cancel()
      await cancelled
    })
    await sql.end({ timeout: 5 })
  },
  knex: async () => {
    const knex = (await load('knex'))({ client: 'pg', connection: url, pool: { min: 0, max: 1 } })
    await check('connect', () => knex.raw('SELECT 1'))
    await check('query', async () => same((await knex.raw('SELECT 41 + ?::int AS n', [1])).rows[0].n, 42))
    await check('transaction', async () => {
      const undone = knex.transaction(async trx => {
        await trx.schema.createTable('undone', table => table.increments())
        throw new Error('undo')
      })
      await fails(undone, 'undo')
      same(await knex.schema.hasTable('undone'), false)
    })
    await check('cancel', () =>
      fails(knex.raw('SELECT pg_sleep(30)').timeout(500, { cancel: true }), 'Defined query timeout'),
    )
    await knex.destroy()
  },
}

await CLIENTS[client]()
