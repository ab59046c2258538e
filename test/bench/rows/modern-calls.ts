import { modernMeta } from '../../support/clients/modern.js'
import { rpc } from '../../support/clients/raw-http.js'
import { alternate } from '../alternate.js'
import { closedLoop } from '../client/closed-loop.js'
import { LineCaller } from '../client/line-caller.js'
import { callsPerSecond, modernCallsPerSecond } from '../echo.js'
import { startSafebot, UNDERSTUDY, withProgram } from '../programs.js'
import { openRoom } from '../room.js'
import type { Measurement, Row } from '../row.js'

const IN_FLIGHT = 32
/** More turns than other rows have: the two sides differ by a few per cent. */
const ROUNDS = 7
const SHARE = 0.9
const TOOL = 'room_status'

/** How many calls a second in revision 2026-07-28, beside those in 2025-11-25. */
export const modernCalls: Row = {
  name: 'modern-calls',
  measure: async () => [await overHttp(), await onStdio()],
}

function overHttp(): Promise<Measurement> {
  return withProgram(startSafebot, async ({ url: mcpUrl }) => {
    const url = await openRoom(mcpUrl, 1)
    const compared = await alternate(
      ROUNDS,
      () => modernCallsPerSecond(mcpUrl, IN_FLIGHT, TOOL, { url }),
      () => callsPerSecond(mcpUrl, IN_FLIGHT, TOOL, { url }),
    )
    return measurement('HTTP', compared)
  })
}

async function onStdio(): Promise<Measurement> {
  const _meta = modernMeta({ clientInfo: { name: 'bench', version: '1.0.0' } })
  const compared = await alternate(
    ROUNDS,
    () => linesPerSecond((id, name, args) => rpc('tools/call', { name, arguments: args, _meta }, id)),
    () => linesPerSecond((id, name, args) => rpc('tools/call', { name, arguments: args }, id)),
  )
  return measurement('stdio', compared)
}

async function linesPerSecond(
  write: (id: number, name: string, args: object) => Record<string, unknown>,
): Promise<number> {
  const caller = new LineCaller([UNDERSTUDY, 'safebot'], write)
  const made = JSON.parse(await caller.call('create_room', {}))
  const { url } = Object(made).result.structuredContent
  await caller.call('send_message', { url, text: 'hello there' })
  const call = () => caller.call(TOOL, { url })
  const { perSecond } = await closedLoop(Array.from({ length: IN_FLIGHT }, () => call))
  await caller.close()
  return perSecond
}

function measurement(way: string, { ours, peer }: { ours: number; peer: number }): Measurement {
  return {
    what: `${way}, ${IN_FLIGHT} in flight: \`${TOOL}\` in revision 2026-07-28; peer: in 2025-11-25`,
    unit: 'calls/s',
    ours,
    peer,
    target: `at least ${SHARE}× the peer`,
    met: ours >= SHARE * peer,
  }
}
