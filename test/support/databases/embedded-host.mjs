// A process of its own that serves embedded databases, for a test to kill. Runs the built package.
import { EmbeddedDatabases } from '../../../dist/servers/instanode/databases/embedded/embedded-databases.js'
import { Clock } from '../../../dist/shared/clock/clock.js'
import { IdSource } from '../../../dist/shared/ids.js'

const [dataDirectory, spec] = process.argv.slice(2)
const provider = await EmbeddedDatabases.start({ machine: new Clock(), ids: new IdSource(), dataDirectory })
process.send?.(await provider.provision(JSON.parse(spec ?? '')))
