// What databases cost. Runs the built package: `npm run build && node test/bench/databases.mjs`.
import { execFileSync } from 'node:child_process'
import pg from 'pg'
import { EmbeddedDatabases } from '../../dist/servers/instanode/databases/embedded/embedded-databases.js'
import { Clock } from '../../dist/shared/clock/clock.js'
import { IdSource } from '../../dist/shared/ids.js'

const ids = new IdSource()
const machine = new Clock()
const print = (what, value, unit) =>
  process.stdout.write(`${what.padEnd(58)} ${String(value).padStart(8)} ${unit}\n`)
const median = values => values.sort((a, b) => a - b)[Math.floor(values.length / 2)] ?? 0
const residentMb = () => {
  globalThis.gc?.()
  return Math.round(Number(execFileSync('ps', ['-o', 'rss=', '-p', String(process.pid)])) / 1024)
}

async function firstAnswer(provider) {
  const from = performance.now()
  const spec = {
    name: `db_${ids.hex(12)}`,
    user: `usr_${ids.hex(12)}`,
    password: ids.hex(24),
    limits: { storageBytes: 10 * 1024 * 1024, connections: 2 },
  }
  const { url } = await provider.provision(spec)
  const client = new pg.Client(url)
  await client.connect()
  await client.query('SELECT 1')
  const took = performance.now() - from
  return { took, client, url, name: spec.name }
}

const base = residentMb()
const cold = []
for (let i = 0; i < 5; i++) {
  const provider = await EmbeddedDatabases.start({ machine, ids })
  const { took, client } = await firstAnswer(provider)
  cold.push(took)
  await client.end()
  await provider.close()
}
print('embedded, create to first SELECT 1, cold, median of 5', Math.round(median(cold)), 'ms')

const provider = await EmbeddedDatabases.start({ machine, ids, times: { hibernateAfterMs: 200 } })
const warm = []
const open = []
provider.warm()
for (let i = 0; i < 10; i++) {
  await provider.spareReady()
  const made = await firstAnswer(provider)
  warm.push(made.took)
  open.push(made)
}
print('embedded, create to first SELECT 1, warm, median of 10', Math.round(median(warm)), 'ms')
print(`embedded, resident with 10 databases live (bare ${base})`, residentMb(), 'MB')

const [{ client }] = open
const times = []
for (let i = 0; i < 2000; i++) {
  const from = performance.now()
  await client.query('SELECT 1')
  times.push((performance.now() - from) * 1000)
}
print('embedded, SELECT 1, median of 2000', Math.round(median(times)), 'µs')

for (const { client } of open) await client.end()
for (const { name } of open)
  while ((await provider.stats(name)).state === 'awake') await new Promise(resolve => setImmediate(resolve))
// Their threads are still closing; what they give back shows a moment later.
await new Promise(resolve => setTimeout(resolve, 1500))
print('embedded, resident with those 10 asleep', residentMb(), 'MB')
const woken = []
for (const { url } of open) {
  const from = performance.now()
  const client = new pg.Client(url)
  await client.connect()
  await client.query('SELECT 1')
  woken.push(performance.now() - from)
  await client.end()
}
print('embedded, waking a database, median of 10', Math.round(median(woken)), 'ms')
await provider.close()
machine.close()
