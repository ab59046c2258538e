import { setTimeout as sleep } from 'node:timers/promises'
import { McpCaller } from '../client/mcp-caller.js'
import { firstAnswer } from '../first-answer.js'
import { createPostgres as create, PILING_UP } from '../instanode.js'
import { startInstanode, withProgram } from '../programs.js'
import type { Row } from '../row.js'
import { median } from '../statistics.js'

const COLD = { times: 5, ms: 700 }
const WARM = { times: 15, ms: 60 }
/** Several times what the next spare takes to get ready; nothing outside tells when it is. */
const SPARE_MS = 1500

/** How long from asking for a database to its first answer. */
export const createPostgres: Row = {
  name: 'create-postgres',
  async measure() {
    const cold: number[] = []
    for (let time = 0; time < COLD.times; time++) cold.push(...(await createIn(1)))
    const [, ...warm] = await createIn(1 + WARM.times)
    const ours = { cold: median(cold), warm: median(warm) }
    return [
      {
        what: `\`create_postgres\` over HTTP to the first answered \`SELECT 1\`: the first of a process, median of ${COLD.times}`,
        unit: 'ms',
        ours: ours.cold,
        target: `under ${COLD.ms} ms`,
        met: ours.cold < COLD.ms,
      },
      {
        what: `the same, with a spare ready, median of ${WARM.times}`,
        unit: 'ms',
        ours: ours.warm,
        target: `under ${WARM.ms} ms`,
        met: ours.warm < WARM.ms,
      },
    ]
  },
}

/** Milliseconds of each of the first databases of a fresh process, one after the other. */
function createIn(databases: number): Promise<number[]> {
  return withProgram(startInstanode, async ({ url: mcpUrl }) => {
    const caller = await McpCaller.inSession(mcpUrl, PILING_UP)
    const times: number[] = []
    while (times.length < databases) {
      if (times.length > 0) await sleep(SPARE_MS)
      let token = ''
      const { taken, client } = await firstAnswer(async () => {
        const made = await create(caller)
        token = made.token
        return made
      })
      times.push(taken)
      await client.end()
      await caller.call('delete_resource', { token })
    }
    caller.close()
    return times
  })
}
