import { randomBytes } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import { ServerDatabases } from '#built/servers/instanode/databases/server/server-databases.js'
import { Clock } from '#built/shared/clock/clock.js'
import { IdSource } from '#built/shared/ids.js'
import { connected, freshSpec, type TestClient } from '../../support/databases/databases.js'
import { startPostgres } from '../../support/databases/postgres-server.js'
import { alternate, type Compared } from '../alternate.js'
import { firstAnswer } from '../first-answer.js'
import type { Row } from '../row.js'

const ROUNDS = 15
const SPARES = 2
const TARGET_MS = 15

/** How long from asking for a database on a real server to its first answer. */
export const serverDatabases: Row = {
  name: 'server-databases',
  async measure() {
    const postgres = await startPostgres()
    try {
      const { ours, peer } = await compare(postgres.adminUrl)
      return [
        {
          what: `real server, spares ready: made to first answered \`SELECT 1\`, median of ${ROUNDS}; peer: \`CREATE DATABASE\` and the same`,
          unit: 'ms',
          ours,
          peer,
          target: `under ${TARGET_MS} ms`,
          met: ours < TARGET_MS,
        },
      ]
    } finally {
      await postgres.close()
    }
  },
}

async function compare(adminUrl: string): Promise<Compared> {
  const machine = new Clock()
  const databases = await ServerDatabases.start({ adminUrl, machine, ids: new IdSource(), spares: SPARES })
  const admin = await connected(adminUrl)
  try {
    return await alternate(
      ROUNDS,
      () => handedOut(databases, admin),
      () => created(adminUrl, admin),
    )
  } finally {
    await admin.end()
    await databases.close()
    machine.close()
  }
}

async function handedOut(databases: ServerDatabases, admin: TestClient): Promise<number> {
  await sparesReady(admin)
  const spec = freshSpec()
  const { taken, client } = await firstAnswer(() => databases.provision(spec))
  await client.end()
  // Not while the next spare is cloned: the peer's own turn comes next.
  await sparesReady(admin)
  await databases.drop(spec.name)
  return taken
}

async function created(adminUrl: string, admin: TestClient): Promise<number> {
  const name = `understudy_bench_${randomBytes(6).toString('hex')}`
  const { taken, client } = await firstAnswer(async () => {
    await admin.query(`CREATE DATABASE ${name}`)
    const url = new URL(adminUrl)
    url.pathname = `/${name}`
    return { url: url.href }
  })
  await client.end()
  await admin.query(`DROP DATABASE ${name} WITH (FORCE)`)
  return taken
}

/** Waits until the spares are ready. A spare is ready once no other role may connect to it. The query of its size still follows. */
async function sparesReady(admin: TestClient): Promise<void> {
  const ready =
    "SELECT count(*)::int FROM pg_database WHERE datname ~ '^understudy_spare_' AND datacl IS NOT NULL"
  while (Number(await admin.value(ready)) < SPARES) await sleep(10)
  await sleep(50)
}
