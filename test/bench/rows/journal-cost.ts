import { startServer } from '../../support/servers/started-server.js'
import { alternate } from '../alternate.js'
import { callsPerSecond } from '../echo.js'
import { type HttpProgram, withProgram } from '../programs.js'
import { openRoom } from '../room.js'
import type { Row } from '../row.js'

const IN_FLIGHT = 32
const ROUNDS = 5
/** Share of the calls per second that a record of every call may cost. */
const SHARE = 0.15

/** Measures the cost of the journal: the same server with and without a journal, over HTTP. */
export const journalCost: Row = {
  name: 'journal-cost',
  measure: () =>
    withProgram(
      () => start('on'),
      on =>
        withProgram(
          () => start('off'),
          async off => {
            const rooms = { on: await openRoom(on.url, 1), off: await openRoom(off.url, 1) }
            const { ours, peer } = await alternate(
              ROUNDS,
              () => callsPerSecond(on.url, IN_FLIGHT, 'room_status', { url: rooms.on }),
              () => callsPerSecond(off.url, IN_FLIGHT, 'room_status', { url: rooms.off }),
            )
            return [
              {
                what: `HTTP, ${IN_FLIGHT} in flight: \`room_status\`, journaled; peer: the same with the journal off`,
                unit: 'calls/s',
                ours,
                peer,
                target: `at least ${1 - SHARE}× the peer`,
                met: ours >= (1 - SHARE) * peer,
              },
            ]
          },
        ),
    ),
}

async function start(journal: 'on' | 'off'): Promise<HttpProgram> {
  const server = await startServer('dist-test/test/bench/hosts/safebot.js', [journal])
  return { url: server.line, pid: server.process.pid, stop: () => server.stop() }
}
