import { setTimeout as sleep } from 'node:timers/promises'
import { McpCaller } from '../client/mcp-caller.js'
import { startSafebot, withProgram } from '../programs.js'
import { residentMb } from '../resident.js'
import { openRoom } from '../room.js'
import type { Row } from '../row.js'
import { median } from '../statistics.js'

const CLAIMS = 5000
/** Connections opened at once: fewer than a listener's usual backlog. */
const BATCH = 250
const PROBES = 500
const TARGET = { mb: 250, ms: 2 }

/** Measures the cost of many parked calls: memory, and the speed of other calls. Checks that each parked call is woken. */
export const parkedClaims: Row = {
  name: 'parked-claims',
  measure: () =>
    withProgram(startSafebot, async ({ url: mcpUrl, pid }) => {
      const url = await openRoom(mcpUrl, 0)
      const workers: McpCaller[] = []
      const claims: Promise<boolean>[] = []
      while (workers.length < CLAIMS) {
        const batch = await Promise.all(
          Array.from({ length: BATCH }, (_, at) => McpCaller.asHandle(mcpUrl, `w${workers.length + at}`)),
        )
        workers.push(...batch)
        claims.push(...batch.map(worker => claim(worker, url)))
      }
      await sleep(1000)
      const mb = residentMb(pid)
      const p50 = await probe(mcpUrl, url)
      const poster = await McpCaller.asHandle(mcpUrl, 'poster')
      const posted = performance.now()
      await poster.call('send_message', { url, text: 'wake up' })
      const woken = await Promise.all(claims)
      const wokenMs = performance.now() - posted
      for (const worker of [...workers, poster]) worker.close()
      const answered = woken.filter(got => got).length
      const parked = `${CLAIMS.toLocaleString('en')} parked claims`
      return [
        {
          what: `${parked}: resident memory`,
          unit: 'MB',
          ours: mb,
          target: `under ${TARGET.mb} MB`,
          met: mb < TARGET.mb,
        },
        {
          what: `${parked}: \`room_status\` meanwhile, median`,
          unit: 'ms',
          ours: p50,
          target: `under ${TARGET.ms} ms`,
          met: p50 < TARGET.ms,
        },
        {
          what: `${parked}: answered with the message, the last after ${Math.round(wokenMs)} ms`,
          unit: 'calls',
          ours: answered,
          target: 'all',
          met: answered === CLAIMS,
        },
      ]
    }),
}

/** Whether the claim got the message. */
async function claim(worker: McpCaller, url: string): Promise<boolean> {
  const { structuredContent } = await worker.read('claim_task', { url, timeout_seconds: 90 })
  return structuredContent?.claim_id !== null
}

async function probe(mcpUrl: string, url: string): Promise<number> {
  const caller = await McpCaller.inSession(mcpUrl)
  const taken: number[] = []
  for (let time = 0; time < PROBES; time++) {
    const sent = performance.now()
    await caller.call('room_status', { url })
    taken.push(performance.now() - sent)
  }
  caller.close()
  return median(taken)
}
