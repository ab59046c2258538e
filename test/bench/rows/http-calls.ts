import { alternate } from '../alternate.js'
import { callsPerSecond, peerEcho } from '../echo.js'
import { withBoth } from '../programs.js'
import { openRoom } from '../room.js'
import type { Row } from '../row.js'

const IN_FLIGHT = 32
const TIMES = 5

/** How many calls a second over HTTP. */
export const httpCalls: Row = {
  name: 'http-calls',
  measure: () =>
    withBoth(async (safebot, peer) => {
      const url = await openRoom(safebot.url, 1)
      const { ours, peer: echo } = await alternate(
        3,
        () => callsPerSecond(safebot.url, IN_FLIGHT, 'room_status', { url }),
        () => peerEcho(peer.url, IN_FLIGHT),
      )
      return [
        {
          what: `HTTP, ${IN_FLIGHT} in flight: \`room_status\`; peer: \`echo\``,
          unit: 'calls/s',
          ours,
          peer: echo,
          target: `at least ${TIMES}× the peer`,
          met: ours >= TIMES * echo,
        },
      ]
    }),
}
