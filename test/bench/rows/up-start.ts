import { startServer } from '../../support/servers/started-server.js'
import { alternate } from '../alternate.js'
import { UNDERSTUDY } from '../programs.js'
import { residentMb } from '../resident.js'
import type { Row } from '../row.js'
import { median } from '../statistics.js'

const STARTS = 15
const UP = ['up', '--json', '--instanode-port', '0', '--safebot-port', '0', '--control-port', '0']
/** Of the same command, and with no databases to offer. */
const WITHOUT_DATABASES = ['safebot', '--http', '0']

/** Measures whether a start pays for databases that no client has requested yet. */
export const upStart: Row = {
  name: 'up-start',
  async measure() {
    const memory = { ours: [] as number[], peer: [] as number[] }
    const { ours, peer } = await alternate(
      STARTS,
      () => startOnce(UP, memory.ours),
      () => startOnce(WITHOUT_DATABASES, memory.peer),
    )
    const shared = { target: 'none: told for completeness', met: true }
    return [
      {
        what: `\`up\`, databases embedded: from spawn to the ready line, median of ${STARTS}; peer: \`safebot\`, which has none`,
        unit: 'ms',
        ours,
        peer,
        ...shared,
      },
      {
        what: 'the same: resident memory then',
        unit: 'MB',
        ours: median(memory.ours),
        peer: median(memory.peer),
        ...shared,
      },
    ]
  },
}

/** Milliseconds from spawn to the ready line. */
async function startOnce(args: string[], memory: number[]): Promise<number> {
  const spawned = performance.now()
  const server = await startServer(UNDERSTUDY, args)
  const taken = performance.now() - spawned
  memory.push(residentMb(server.process.pid))
  await server.stop()
  return taken
}
