import { setTimeout as sleep } from 'node:timers/promises'
import { ApiCaller } from '../client/api-caller.js'
import { startSafebot, withProgram } from '../programs.js'
import { residentMb } from '../resident.js'
import type { Row } from '../row.js'
import { median } from '../statistics.js'

const WARM_UP = 200
const TIMES = 500
/** Long enough for a claim to have parked. */
const PARKING_MS = 3
const CLAIMS = 5000
/** Connections opened at once: fewer than a listener's usual backlog. */
const BATCH = 250
const TARGET = { ms: 1, mb: 250 }

/** Claims that are parked over the service's own HTTP API: how soon one is woken, and what many of them cost. */
export const apiParking: Row = {
  name: 'api-parking',
  measure: () =>
    withProgram(startSafebot, async ({ url, pid }) => {
      const api = new URL(url).origin
      const wake = await wakeUpMs(api)
      const { mb, woken } = await parkMany(api, pid)
      const parked = `${CLAIMS.toLocaleString('en')} claims parked over the HTTP API`
      return [
        {
          what: 'a message posted over the HTTP API wakes a claim parked there, median',
          unit: 'ms',
          ours: wake,
          target: `under ${TARGET.ms} ms`,
          met: wake < TARGET.ms,
        },
        {
          what: `${parked}: resident memory`,
          unit: 'MB',
          ours: mb,
          target: `under ${TARGET.mb} MB`,
          met: mb < TARGET.mb,
        },
        {
          what: `${parked}: answered with the message`,
          unit: 'calls',
          ours: woken,
          target: 'all',
          met: woken === CLAIMS,
        },
      ]
    }),
}

async function wakeUpMs(api: string): Promise<number> {
  const room = 'wake-up'
  const worker = await ApiCaller.as(api, 'worker')
  const poster = await ApiCaller.as(api, 'poster')
  await poster.say(room)
  await worker.ack(room, await worker.claim(room))
  const taken: number[] = []
  for (let time = 0; time < WARM_UP + TIMES; time++) {
    let arrived = 0
    const claiming = worker.claim(room).then(claimed => {
      arrived = performance.now()
      return claimed
    })
    await sleep(PARKING_MS)
    const posted = performance.now()
    await poster.say(room)
    await worker.ack(room, await claiming)
    if (time >= WARM_UP) taken.push(arrived - posted)
  }
  for (const caller of [worker, poster]) caller.close()
  return median(taken)
}

async function parkMany(api: string, pid: number | undefined): Promise<{ mb: number; woken: number }> {
  const room = 'parked'
  const poster = await ApiCaller.as(api, 'opener')
  await poster.say(room)
  const workers: ApiCaller[] = []
  const claims: Promise<number>[] = []
  while (workers.length < CLAIMS) {
    const batch = await Promise.all(
      Array.from({ length: BATCH }, (_, at) => ApiCaller.as(api, `parked-${workers.length + at}`)),
    )
    workers.push(...batch)
    for (const worker of batch) await worker.ack(room, await worker.claim(room))
    claims.push(...batch.map(worker => worker.claim(room).then(() => 1)))
  }
  await sleep(1000)
  const mb = residentMb(pid)
  await poster.say(room)
  const answered = await Promise.all(claims)
  for (const caller of [...workers, poster]) caller.close()
  return { mb, woken: answered.length }
}
