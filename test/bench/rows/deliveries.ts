import { alternate } from '../alternate.js'
import { closedLoop } from '../client/closed-loop.js'
import { HttpConnection } from '../client/http-connection.js'
import { createReceiver } from '../instanode.js'
import { startExpressEcho, startInstanode, withProgram } from '../programs.js'
import type { Row } from '../row.js'

const IN_FLIGHT = 32
const BODY = JSON.stringify({ event: 'push', ref: 'refs/heads/main', text: 'x'.repeat(200) })
const SHARE = 0.5

/** How many deliveries a second a receiver takes and keeps. */
export const deliveries: Row = {
  name: 'deliveries',
  measure: () =>
    withProgram(startInstanode, instanode =>
      withProgram(startExpressEcho, async express => {
        const receiver = await createReceiver(instanode.url)
        const { ours, peer } = await alternate(
          3,
          () => postsPerSecond(receiver.url),
          () => postsPerSecond(express.url),
        )
        return [
          {
            what: `deliveries to one receiver, ${IN_FLIGHT} in flight; peer: a bare Express POST`,
            unit: 'calls/s',
            ours,
            peer,
            target: `at least ${SHARE}× the peer`,
            met: ours >= SHARE * peer,
          },
        ]
      }),
    ),
}

async function postsPerSecond(url: string): Promise<number> {
  const connections = await Promise.all(Array.from({ length: IN_FLIGHT }, () => HttpConnection.open(url)))
  const { perSecond } = await closedLoop(connections.map(connection => () => post(connection)))
  for (const connection of connections) connection.close()
  return perSecond
}

async function post(connection: HttpConnection): Promise<void> {
  const { status, body } = await connection.post('', BODY)
  if (status !== 200) throw new Error(`a delivery was answered ${status}: ${body}`)
}
