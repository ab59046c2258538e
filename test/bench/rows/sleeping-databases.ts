import { startServer } from '../../support/servers/started-server.js'
import { FEW, MANY, type Slept } from '../hosts/slept.js'
import type { Row } from '../row.js'

/** Stands for "nothing": what an idle process's memory moves by anyway, spread over the databases. */
const TARGET_MB = 2

/** Measures the cost of databases that no client uses. */
export const sleepingDatabases: Row = {
  name: 'sleeping-databases',
  async measure() {
    const host = await startServer('dist-test/test/bench/hosts/sleeping-databases.js', [], {
      nodeArgs: ['--expose-gc'],
    })
    await host.stop()
    const { fewMb, manyMb, wakeMs }: Slept = JSON.parse(host.line)
    const each = (manyMb - fewMb) / (MANY - FEW)
    return [
      {
        what: `${MANY} sleeping databases instead of ${FEW} (${Math.round(manyMb)} MB, ${Math.round(fewMb)} MB): resident memory of each further one`,
        unit: 'MB',
        ours: each,
        target: `under ${TARGET_MB} MB`,
        met: each < TARGET_MB,
      },
      {
        what: `a sleeping database, from connecting to the first answered \`SELECT 1\`, median of ${MANY}`,
        unit: 'ms',
        ours: wakeMs,
        target: 'none: told for completeness',
        met: true,
      },
    ]
  },
}
