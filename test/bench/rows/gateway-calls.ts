import { alternate } from '../alternate.js'
import { closedLoop } from '../client/closed-loop.js'
import { McpCaller } from '../client/mcp-caller.js'
import { callsPerSecond } from '../echo.js'
import { startGateway, startSafebot, withProgram } from '../programs.js'
import { openRoom } from '../room.js'
import type { Row } from '../row.js'
import { median } from '../statistics.js'

const IN_FLIGHT = 32
const PER_SECOND = 6000
const OVERHEAD_MS = 0.3
const ROUNDS = 3
const TOOL = 'room_status'

/** Measures the cost of a policy for a call over HTTP, with a rate limit on the tool. The calls never reach the cap. */
export const gatewayCalls: Row = {
  name: 'gateway-calls',
  measure: () =>
    withProgram(startSafebot, safebot =>
      withProgram(
        () => startGateway('test/bench/policies/limited.json', safebot.url),
        async gateway => {
          const args = { url: await openRoom(safebot.url, 1) }
          const { ours, peer } = await alternate(
            ROUNDS,
            () => medianMs(gateway.url, args),
            () => medianMs(safebot.url, args),
          )
          const rate = await alternate(
            ROUNDS,
            () => callsPerSecond(gateway.url, IN_FLIGHT, TOOL, args),
            () => callsPerSecond(safebot.url, IN_FLIGHT, TOOL, args),
          )
          return [
            {
              what: `gateway over HTTP, 1 in flight: a rate-limited \`${TOOL}\`, median; peer: without the gateway`,
              unit: 'ms',
              ours,
              peer,
              target: `at most ${OVERHEAD_MS} more than the peer`,
              met: ours - peer < OVERHEAD_MS,
            },
            {
              what: `gateway over HTTP, ${IN_FLIGHT} in flight: likewise; peer: without the gateway`,
              unit: 'calls/s',
              ours: rate.ours,
              peer: rate.peer,
              target: `at least ${PER_SECOND}`,
              met: rate.ours >= PER_SECOND,
            },
          ]
        },
      ),
    ),
}

async function medianMs(url: string, args: object): Promise<number> {
  const caller = await McpCaller.inSession(url)
  const { latencies } = await closedLoop([() => caller.call(TOOL, args)])
  caller.close()
  return median(latencies)
}
