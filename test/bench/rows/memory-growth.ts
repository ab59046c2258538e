import { McpCaller } from '../client/mcp-caller.js'
import { type HttpProgram, startSafebot, withProgram } from '../programs.js'
import { residentMb } from '../resident.js'
import { openRoom } from '../room.js'
import type { Row } from '../row.js'

const IN_FLIGHT = 32
/** The journal's ring holds 10,000 entries: past these calls it is full several times over. */
const WARM_UP_CALLS = 60_000
const CALLS = 200_000
const TARGET_MB = 20

/** Measures how much the memory grows during a long run. */
export const memoryGrowth: Row = {
  name: 'memory-growth',
  measure: () =>
    withProgram(startSafebot, async program => {
      const url = await openRoom(program.url, 1)
      await makeCalls(program, url, WARM_UP_CALLS)
      const before = residentMb(program.pid)
      await makeCalls(program, url, CALLS)
      const grown = residentMb(program.pid) - before
      return [
        {
          what: `HTTP: growth of resident memory over ${CALLS.toLocaleString('en')} calls, the journal's ring full`,
          unit: 'MB',
          ours: grown,
          target: `under ${TARGET_MB} MB`,
          met: grown < TARGET_MB,
        },
      ]
    }),
}

async function makeCalls({ url: mcpUrl }: HttpProgram, url: string, calls: number): Promise<void> {
  let left = calls
  const callers = await Promise.all(Array.from({ length: IN_FLIGHT }, () => McpCaller.inSession(mcpUrl)))
  await Promise.all(
    callers.map(async caller => {
      while (left-- > 0) await caller.call('room_status', { url })
      caller.close()
    }),
  )
}
