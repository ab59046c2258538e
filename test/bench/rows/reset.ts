import { createUnderstudy } from '#built/servers/understudy/index.js'
import { residentMb } from '../resident.js'
import type { Row } from '../row.js'
import { median } from '../statistics.js'

const RESETS = 1000
const FEW = 100
const TARGET_MS = 5
const TARGET_MB = 20

/** Whether an instance that is reset for every test of a long suite stays as fast and as small as it was. */
export const reset: Row = {
  name: 'reset',
  async measure() {
    const understudy = await createUnderstudy({ clock: 'manual' })
    try {
      const agent = await understudy.safebot.connect({ handle: 'bench' })
      const once = async () => {
        const made = await agent.callTool({ name: 'create_room', arguments: {} })
        const { url } = Object(made.structuredContent)
        await agent.callTool({ name: 'send_message', arguments: { url, text: 'hello' } })
        const begin = performance.now()
        await understudy.reset()
        return performance.now() - begin
      }
      for (let nth = 0; nth < FEW; nth++) await once()
      const before = residentMb(process.pid)
      const times: number[] = []
      while (times.length < RESETS) times.push(await once())
      const grown = residentMb(process.pid) - before
      const [first, last] = [median(times.slice(0, FEW)), median(times.slice(-FEW))]
      return [
        {
          what: `${RESETS.toLocaleString('en')} resets, a room and a message before each: the last ${FEW}, median; peer: the first ${FEW}`,
          unit: 'ms',
          ours: last,
          peer: first,
          target: `under ${TARGET_MS} ms, and under 1.5× the first`,
          met: last < TARGET_MS && last < 1.5 * Math.max(first, 0.1),
        },
        {
          what: 'the same: growth of resident memory',
          unit: 'MB',
          ours: grown,
          target: `under ${TARGET_MB} MB`,
          met: grown < TARGET_MB,
        },
      ]
    } finally {
      await understudy.close()
    }
  },
}
