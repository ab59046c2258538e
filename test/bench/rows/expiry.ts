import { createUnderstudy } from '#built/servers/understudy/index.js'
import { firstAnswer } from '../first-answer.js'
import type { Row } from '../row.js'
import { median } from '../statistics.js'

const TIMES = 5
const DAY_MS = 24 * 3_600_000
const TARGET_MS = 300

/** How long the day takes after which a database is dropped. */
export const expiry: Row = {
  name: 'expiry',
  async measure() {
    const understudy = await createUnderstudy({ clock: 'manual' })
    try {
      const agent = await understudy.instanode.connect()
      const times: number[] = []
      while (times.length < TIMES) {
        const { client } = await firstAnswer(async () => {
          const made = await agent.callTool({ name: 'create_postgres', arguments: { name: 'bench' } })
          return { url: String(Object(made.structuredContent).connection_url) }
        })
        const begin = performance.now()
        await understudy.clock.advance(DAY_MS)
        times.push(performance.now() - begin)
        const code = await client.ended
        if (code !== '57P01') throw new Error(`the session of the expired database ended with ${code}`)
      }
      const ms = median(times)
      return [
        {
          what: `24 hours on a manual clock, a live database with an open session dropped, median of ${TIMES}`,
          unit: 'ms',
          ours: ms,
          target: `under ${TARGET_MS} ms`,
          met: ms < TARGET_MS,
        },
      ]
    } finally {
      await understudy.close()
    }
  },
}
