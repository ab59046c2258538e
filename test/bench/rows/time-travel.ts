import { createUnderstudy } from '#built/servers/understudy/index.js'
import { Clock } from '#built/shared/clock/clock.js'
import type { Row } from '../row.js'
import { median } from '../statistics.js'

const TIMES = 9
const REDELIVERY_MS = 10
const DUE = 100_000
const ADVANCE_MS = 1000

/** Measures the time that moving the clock takes. */
export const timeTravel: Row = {
  name: 'time-travel',
  async measure() {
    const redelivery = median(await redeliveries())
    const advance = await manyDue()
    return [
      {
        what: `a task sent, claimed, 60 seconds, claimed again: median of ${TIMES}`,
        unit: 'ms',
        ours: redelivery,
        target: `under ${REDELIVERY_MS} ms`,
        met: redelivery < REDELIVERY_MS,
      },
      {
        what: `\`advance\` over ${DUE.toLocaleString('en')} due items, each at its own instant`,
        unit: 'ms',
        ours: advance,
        target: `under ${ADVANCE_MS.toLocaleString('en')} ms`,
        met: advance < ADVANCE_MS,
      },
    ]
  },
}

async function redeliveries(): Promise<number[]> {
  const understudy = await createUnderstudy({ clock: 'manual' })
  try {
    const worker = await understudy.safebot.connect({ handle: 'worker' })
    const asker = await understudy.safebot.connect({ handle: 'asker' })
    const call = async (client: typeof worker, name: string, args: Record<string, unknown> = {}) =>
      Object((await client.callTool({ name, arguments: args })).structuredContent)
    const times: number[] = []
    while (times.length < TIMES) {
      const begin = performance.now()
      const { url } = await call(asker, 'create_room')
      await call(asker, 'send_message', { url, text: 'again' })
      const first = await call(worker, 'claim_task', { url })
      await understudy.clock.advance(60_001)
      const second = await call(worker, 'claim_task', { url })
      times.push(performance.now() - begin)
      if (second.task?.seq !== first.task?.seq || second.claim_id === first.claim_id) {
        throw new Error('the task did not come back')
      }
    }
    return times
  } finally {
    await understudy.close()
  }
}

async function manyDue(): Promise<number> {
  const clock = new Clock({ mode: 'manual', start: 0 })
  let woken = 0
  for (let at = 1; at <= DUE; at++) {
    clock.wakeAt(at, async () => {
      woken++
    })
  }
  const begin = performance.now()
  await clock.advance(DUE)
  const taken = performance.now() - begin
  if (woken !== DUE) throw new Error(`${woken} of ${DUE} were woken`)
  return taken
}
