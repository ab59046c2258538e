import { alternate } from '../alternate.js'
import { McpCaller } from '../client/mcp-caller.js'
import { peerEcho } from '../echo.js'
import { withBoth } from '../programs.js'
import { openRoom } from '../room.js'
import type { Row } from '../row.js'
import { claimAndAck } from '../tasks.js'

const HANDLES = 32
/** Each handle works through the same messages, and a room keeps 2,000 of them. */
const WARM_UP_CYCLES = 200
const CYCLES = 600

/** The cycles asked for, and the peer's calls on the machine they were asked for on. */
const TARGET = { cycles: 5000, echo: 3400 }

/** How many tasks a second are claimed and acknowledged over HTTP. */
export const taskCycles: Row = {
  name: 'task-cycles',
  measure: () =>
    withBoth(async (safebot, peer) => {
      const { ours, peer: echo } = await alternate(
        3,
        () => cyclesPerSecond(safebot.url),
        () => peerEcho(peer.url, HANDLES),
      )
      const asked = (TARGET.cycles * echo) / TARGET.echo
      return [
        {
          what: `HTTP, ${HANDLES} handles: \`claim_task\` + \`ack_task\`; peer: \`echo\``,
          unit: 'cycles/s',
          ours,
          peer: echo,
          target: `at least ${Math.round(asked).toLocaleString('en')}: ${TARGET.cycles.toLocaleString('en')} where the peer reaches ${TARGET.echo.toLocaleString('en')}`,
          met: ours >= asked,
        },
      ]
    }),
}

async function cyclesPerSecond(mcpUrl: string): Promise<number> {
  const url = await openRoom(mcpUrl, WARM_UP_CYCLES + CYCLES)
  const workers = await Promise.all(
    Array.from({ length: HANDLES }, (_, at) => McpCaller.asHandle(mcpUrl, `worker-${at}`)),
  )
  const work = (cycles: number) =>
    Promise.all(workers.map(worker => repeat(cycles, () => claimAndAck(worker, url))))
  await work(WARM_UP_CYCLES)
  const begin = performance.now()
  await work(CYCLES)
  const seconds = (performance.now() - begin) / 1000
  for (const worker of workers) worker.close()
  return (HANDLES * CYCLES) / seconds
}

async function repeat(times: number, work: () => Promise<void>): Promise<void> {
  for (let done = 0; done < times; done++) await work()
}
