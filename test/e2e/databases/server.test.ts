import { afterAll, beforeAll } from 'vitest'
import { ServerDatabases } from '../../../servers/instanode/databases/server/server-databases.js'
import { Clock } from '../../../shared/clock/clock.js'
import { IdSource } from '../../../shared/ids.js'
import { describeDatabaseProvider } from '../../contract/database-provider.js'
import { startPostgres, type TestServer } from '../../support/postgres-server.js'

let postgres: TestServer
const machine = new Clock()

beforeAll(async () => {
  postgres = await startPostgres()
}, 60_000)
afterAll(async () => {
  machine.close()
  await postgres.close()
})

describeDatabaseProvider('server', () =>
  ServerDatabases.start({ adminUrl: postgres.adminUrl, machine, ids: new IdSource() }),
)
