import { alternate } from '../alternate.js'
import { callPiped, openPipedRoom, withPiped } from '../client/piped.js'
import { UNDERSTUDY } from '../programs.js'
import type { Row } from '../row.js'
import { median } from '../statistics.js'

const IN_FLIGHT = 32
const ROUNDS = 3
const TOOL = 'room_status'

const SERVER = [UNDERSTUDY, 'safebot']
const GATEWAY = [UNDERSTUDY, 'gateway', 'test/bench/policies/limited.json', '--', process.execPath, ...SERVER]

/** Measures the cost of a policy for a call on stdio, with a pipe on either side of the gateway. The calls never reach the cap. */
export const gatewayPipes: Row = {
  name: 'gateway-pipes',
  async measure() {
    const one = await alternate(
      ROUNDS,
      () => medianMs(GATEWAY),
      () => medianMs(SERVER),
    )
    const many = await alternate(
      ROUNDS,
      () => perSecond(GATEWAY),
      () => perSecond(SERVER),
    )
    const target = 'none: told for completeness'
    return [
      {
        what: `gateway on stdio, 1 in flight, SDK client: a rate-limited \`${TOOL}\`, median; peer: without the gateway`,
        ...{ unit: 'ms', ...one, target, met: true },
      },
      {
        what: `gateway on stdio, ${IN_FLIGHT} in flight: likewise; peer: without the gateway`,
        ...{ unit: 'calls/s', ...many, target, met: true },
      },
    ]
  },
}

function medianMs(args: string[]): Promise<number> {
  return withPiped(args, async client => {
    const url = await openPipedRoom(client)
    return median((await callPiped(client, TOOL, { url }, 1)).latencies)
  })
}

function perSecond(args: string[]): Promise<number> {
  return withPiped(args, async client => {
    const url = await openPipedRoom(client)
    return (await callPiped(client, TOOL, { url }, IN_FLIGHT)).perSecond
  })
}
