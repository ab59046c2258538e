import { alternate } from '../alternate.js'
import { callPiped, openPipedRoom, withPiped } from '../client/piped.js'
import { ECHO } from '../echo.js'
import { PEER, UNDERSTUDY } from '../programs.js'
import type { Row } from '../row.js'

const IN_FLIGHT = 32

/** How many calls a second the SDK's own client gets over a pipe. */
export const stdioCalls: Row = {
  name: 'stdio-calls',
  async measure() {
    const { ours, peer } = await alternate(
      3,
      () =>
        withPiped([UNDERSTUDY, 'safebot'], async client => {
          const url = await openPipedRoom(client)
          return (await callPiped(client, 'room_status', { url }, IN_FLIGHT)).perSecond
        }),
      () =>
        withPiped([PEER, 'stdio'], async client => {
          return (await callPiped(client, ECHO.tool, ECHO.args, IN_FLIGHT)).perSecond
        }),
    )
    return [
      {
        what: `stdio, ${IN_FLIGHT} in flight, SDK client: \`room_status\`; peer: \`echo\``,
        unit: 'calls/s',
        ours,
        peer,
        target: 'at least the peer',
        met: ours >= peer,
      },
    ]
  },
}
