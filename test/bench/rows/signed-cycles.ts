import { ApiCaller } from '../client/api-caller.js'
import { startSafebot, withProgram } from '../programs.js'
import type { Row } from '../row.js'
import { median } from '../statistics.js'

/** A room keeps 2,000 messages, and each handle works through the same ones. */
const WARM_UP_CYCLES = 100
const ROUNDS = 3
const TARGET = { one: 1500, many: 2500 }

/** How many tasks a second are claimed and acknowledged over the service's own HTTP API, each request signed. */
export const signedCycles: Row = {
  name: 'signed-cycles',
  measure: () =>
    withProgram(startSafebot, async ({ url }) => {
      const api = new URL(url).origin
      const one = await cyclesPerSecond(api, 1, 1500)
      const many = await cyclesPerSecond(api, 32, 200)
      return [
        {
          what: 'signed claim and ack over the HTTP API, one handle',
          unit: 'cycles/s',
          ours: one,
          target: `at least ${TARGET.one.toLocaleString('en')}`,
          met: one >= TARGET.one,
        },
        {
          what: 'the same, 32 handles',
          unit: 'cycles/s',
          ours: many,
          target: `at least ${TARGET.many.toLocaleString('en')}`,
          met: many >= TARGET.many,
        },
      ]
    }),
}

async function cyclesPerSecond(api: string, handles: number, cycles: number): Promise<number> {
  const rates: number[] = []
  for (let round = 0; round < ROUNDS; round++) {
    const room = `cycles-${handles}-${round}`
    const workers = await Promise.all(
      Array.from({ length: handles }, (_, at) => ApiCaller.as(api, `w${handles}-${round}-${at}`)),
    )
    const poster = await ApiCaller.as(api, `p${handles}-${round}`)
    for (let sent = 0; sent < WARM_UP_CYCLES + cycles; sent++) await poster.say(room)
    const work = (count: number) => Promise.all(workers.map(worker => claimAndAck(worker, room, count)))
    await work(WARM_UP_CYCLES)
    // The client's own half of the cryptography is not what is measured.
    for (const worker of workers) worker.signAhead(room, cycles)
    const begin = performance.now()
    await work(cycles)
    rates.push((handles * cycles * 1000) / (performance.now() - begin))
    for (const caller of [...workers, poster]) caller.close()
  }
  return median(rates)
}

async function claimAndAck(worker: ApiCaller, room: string, cycles: number): Promise<void> {
  for (let done = 0; done < cycles; done++) await worker.ack(room, await worker.claim(room))
}
