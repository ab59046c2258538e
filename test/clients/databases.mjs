// Serves embedded databases of the built package. For each line on stdin it makes one and prints its URL.
import { createInterface } from 'node:readline'
import { EmbeddedDatabases } from '../../dist/servers/instanode/databases/embedded/embedded-databases.js'
import { Clock } from '../../dist/shared/clock/clock.js'
import { IdSource } from '../../dist/shared/ids.js'

const machine = new Clock()
const ids = new IdSource()
const databases = await EmbeddedDatabases.start({ machine, ids })
for await (const _line of createInterface({ input: process.stdin })) {
  const { url } = await databases.provision({
    name: `db_${ids.hex(12)}`,
    user: `usr_${ids.hex(12)}`,
    password: ids.hex(24),
    limits: { storageBytes: 10 * 1024 * 1024, connections: 2 },
  })
  process.stdout.write(`${url}\n`)
}
await databases.close()
machine.close()
