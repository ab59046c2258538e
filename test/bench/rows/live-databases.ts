import { setTimeout as sleep } from 'node:timers/promises'
import type { TestClient } from '../../support/databases/databases.js'
import { McpCaller } from '../client/mcp-caller.js'
import { firstAnswer } from '../first-answer.js'
import { createPostgres, PILING_UP } from '../instanode.js'
import { startInstanode, withProgram } from '../programs.js'
import { residentMb } from '../resident.js'
import type { Row } from '../row.js'
import { median } from '../statistics.js'

const DATABASES = 10
const TARGET_MB = 800
/** Until the spare behind the last database is open too. */
const SETTLE_MS = 1500
const QUERIES = 2000

/** Measures the cost of databases in use: memory, and the time of a query. */
export const liveDatabases: Row = {
  name: 'live-databases',
  measure: () =>
    withProgram(startInstanode, async ({ url: mcpUrl, pid }) => {
      const bare = residentMb(pid)
      const caller = await McpCaller.inSession(mcpUrl, PILING_UP)
      const clients: TestClient[] = []
      while (clients.length < DATABASES) {
        const { client } = await firstAnswer(() => createPostgres(caller))
        await client.query('CREATE TABLE note AS SELECT n, md5(n::text) FROM generate_series(1, 1000) n')
        clients.push(client)
      }
      await sleep(SETTLE_MS)
      const mb = residentMb(pid)
      const ms = median(await selectOnce(clients))
      await Promise.all(clients.map(client => client.end()))
      caller.close()
      return [
        {
          what: `${DATABASES} live databases and the spare: resident memory (${Math.round(bare)} MB before the first)`,
          unit: 'MB',
          ours: mb,
          target: `under ${TARGET_MB} MB`,
          met: mb < TARGET_MB,
        },
        {
          what: '`SELECT 1` on an open connection, median',
          unit: 'ms',
          ours: ms,
          target: 'none: told for completeness',
          met: true,
        },
      ]
    }),
}

/** Milliseconds of one query after the other, on the first of the databases. */
async function selectOnce([client]: TestClient[]): Promise<number[]> {
  const times: number[] = []
  while (times.length < QUERIES) {
    const begin = performance.now()
    await client?.query('SELECT 1')
    times.push(performance.now() - begin)
  }
  return times
}
