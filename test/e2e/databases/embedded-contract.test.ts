import { afterAll } from 'vitest'
import { EmbeddedDatabases } from '../../../servers/instanode/databases/embedded/embedded-databases.js'
import { Clock } from '../../../shared/clock/clock.js'
import { IdSource } from '../../../shared/ids.js'
import { describeDatabaseCopies } from '../../contract/database-copies.js'
import { describeDatabaseProvider } from '../../contract/database-provider.js'

const machine = new Clock()
afterAll(() => machine.close())

const start = () => EmbeddedDatabases.start({ machine, ids: new IdSource() })

describeDatabaseProvider('embedded', start)
describeDatabaseCopies('embedded', start)
