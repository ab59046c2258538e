import { alternate } from '../alternate.js'
import { callsPerSecond, peerEcho } from '../echo.js'
import { createReceiver, PILING_UP, STEADY } from '../instanode.js'
import { startInstanode, startPeer, withProgram } from '../programs.js'
import type { Measurement, Row } from '../row.js'

const IN_FLIGHT = 32
const TIMES = 5

/** How many calls a second Instanode answers over HTTP. */
export const instanodeCalls: Row = {
  name: 'instanode-calls',
  measure: () =>
    withProgram(startInstanode, instanode =>
      withProgram(startPeer, async peer => {
        const { token } = await createReceiver(instanode.url)
        const measurements: Measurement[] = []
        for (const [tool, args, headers] of [
          ['list_resources', {}, STEADY],
          ['claim_token', { token }, STEADY],
          ['create_webhook', { name: 'bench' }, PILING_UP],
        ] as const) {
          const { ours, peer: echo } = await alternate(
            3,
            () => callsPerSecond(instanode.url, IN_FLIGHT, tool, args, headers),
            () => peerEcho(peer.url, IN_FLIGHT),
          )
          measurements.push({
            what: `HTTP, ${IN_FLIGHT} in flight: \`${tool}\`; peer: \`echo\``,
            unit: 'calls/s',
            ours,
            peer: echo,
            target: `at least ${TIMES}× the peer`,
            met: ours >= TIMES * echo,
          })
        }
        return measurements
      }),
    ),
}
