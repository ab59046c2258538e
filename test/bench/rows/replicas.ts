import { setTimeout as sleep } from 'node:timers/promises'
import { startPostgres } from '../../support/postgres-server.js'
import { type StartedServer, startServer } from '../../support/started-server.js'
import { McpCaller } from '../client/mcp-caller.js'
import { UNDERSTUDY } from '../programs.js'
import type { Measurement, Row } from '../row.js'
import { median, quantile } from '../statistics.js'
import { pairsPerSecond } from '../two-transactions.js'

/** A room is one at a time; so many rooms keep the connections of three replicas busy. */
const ROOMS = 16
const HANDLES_PER_ROOM = 2

const WARM_UP_CYCLES = 30
const CYCLES = 100
const ROUNDS = 3

const WAKE_UPS = 100
/** Long enough for a claim to have parked. */
const PARKING_MS = 10
const WAKE_TARGET_MS = 10

/** Stand-ins that share a PostgreSQL: how many tasks they hand out, and how soon one hears of what another has taken. */
export const replicas: Row = {
  name: 'replicas',
  async measure() {
    const postgres = await startPostgres()
    try {
      const measured: Measurement[] = []
      for (const count of [1, 2, 3]) measured.push(await cycles(postgres.adminUrl, count))
      measured.push(...(await wakeUps(postgres.adminUrl)))
      return measured
    } finally {
      await postgres.close()
    }
  },
}

async function cycles(adminUrl: string, count: number): Promise<Measurement> {
  const [ours, ceiling]: [number[], number[]] = [[], []]
  for (let round = 0; round < ROUNDS; round++) {
    ours.push(await withReplicas(adminUrl, `cycles_${count}_${round}`, count, cyclesPerSecond))
    ceiling.push(await pairsPerSecond(adminUrl, count))
  }
  const peer = median(ceiling)
  const reached = median(ours)
  const replicas = count === 1 ? 'one replica' : `${count} replicas`
  return {
    what: `${replicas} on one PostgreSQL, 32 handles in 16 rooms: \`claim_task\` + \`ack_task\`; peer: two bare transactions, as many processes`,
    unit: 'cycles/s',
    ours: reached,
    peer,
    target: 'at least 0.5× the peer',
    met: reached >= 0.5 * peer,
  }
}

async function cyclesPerSecond(apis: readonly string[]): Promise<number> {
  const at = (nth: number) => apis[nth % apis.length] ?? ''
  const urls = await Promise.all(Array.from({ length: ROOMS }, (_, nth) => filledRoom(at(nth), nth)))
  const workers = await Promise.all(
    urls.flatMap((room, nth) =>
      Array.from({ length: HANDLES_PER_ROOM }, async (_, handle) => {
        const api = at(nth + handle)
        const caller = await McpCaller.asHandle(`${api}/mcp`, `worker-${nth}-${handle}`)
        return { caller, url: `${api}/room/${room}` }
      }),
    ),
  )
  const work = (times: number) =>
    Promise.all(
      workers.map(async ({ caller, url }) => {
        for (let done = 0; done < times; done++) await claimAndAck(caller, url)
      }),
    )
  await work(WARM_UP_CYCLES)
  const begin = performance.now()
  await work(CYCLES)
  const seconds = (performance.now() - begin) / 1000
  for (const { caller } of workers) caller.close()
  return (workers.length * CYCLES) / seconds
}

/** @returns what comes behind `/room/` in its URL, which is the same at every replica */
async function filledRoom(api: string, nth: number): Promise<string> {
  const caller = await McpCaller.asHandle(`${api}/mcp`, `poster-${nth}`)
  const { structuredContent } = await caller.read('create_room', {})
  const url = String(structuredContent?.url)
  for (let sent = 0; sent < WARM_UP_CYCLES + CYCLES; sent++) {
    await caller.call('send_message', { url, text: `task ${sent}` })
  }
  caller.close()
  return url.slice(url.indexOf('/room/') + '/room/'.length)
}

async function claimAndAck(worker: McpCaller, url: string): Promise<void> {
  const { structuredContent } = await worker.read('claim_task', { url, timeout_seconds: 1 })
  const task = Object(structuredContent?.task)
  await worker.call('ack_task', { url, claim_id: structuredContent?.claim_id, seq: task.seq })
}

async function wakeUps(adminUrl: string): Promise<Measurement[]> {
  const taken = await withReplicas(adminUrl, 'wake_ups', 2, async ([one = '', other = '']) => {
    const poster = await McpCaller.asHandle(`${one}/mcp`, 'poster')
    const worker = await McpCaller.asHandle(`${other}/mcp`, 'worker')
    const { structuredContent } = await poster.read('create_room', {})
    const url = String(structuredContent?.url)
    const there = url.replace(one, other)
    await poster.call('send_message', { url, text: 'opens the room' })
    await claimAndAck(worker, there)
    const times: number[] = []
    for (let time = 0; time < WAKE_UPS; time++) times.push(await wakeOnce(poster, url, worker, there))
    for (const caller of [poster, worker]) caller.close()
    return times
  })
  const p50 = quantile(taken, 0.5)
  return [
    {
      what: 'a message posted at one replica wakes a `claim_task` parked at another, median',
      unit: 'ms',
      ours: p50,
      target: `under ${WAKE_TARGET_MS} ms`,
      met: p50 < WAKE_TARGET_MS,
    },
    {
      what: 'the same, 99th percentile',
      unit: 'ms',
      ours: quantile(taken, 0.99),
      target: 'none: told for completeness',
      met: true,
    },
  ]
}

async function wakeOnce(poster: McpCaller, url: string, worker: McpCaller, there: string): Promise<number> {
  let arrived = 0
  const claiming = worker.read('claim_task', { url: there, timeout_seconds: 30 }).then(result => {
    arrived = performance.now()
    return result
  })
  await sleep(PARKING_MS)
  const posted = performance.now()
  await poster.call('send_message', { url, text: 'wake up' })
  const { structuredContent } = await claiming
  const task = Object(structuredContent?.task)
  await worker.call('ack_task', { url: there, claim_id: structuredContent?.claim_id, seq: task.seq })
  return arrived - posted
}

/** Runs `use` with so many replicas up on a store of their own; it is given where their Safebots are. */
async function withReplicas<T>(
  adminUrl: string,
  schema: string,
  count: number,
  use: (apis: readonly string[]) => Promise<T>,
): Promise<T> {
  const store = new URL(adminUrl)
  store.searchParams.set('schema', `bench_${schema}`)
  const servers: StartedServer[] = []
  try {
    for (let nth = 0; nth < count; nth++) {
      const args = ['safebot', '--http', '0', '--store', store.href]
      servers.push(await startServer(UNDERSTUDY, args, { ready: /^http/ }))
    }
    return await use(servers.map(({ line }) => line.replace(/\/mcp$/, '')))
  } finally {
    for (const server of servers) await server.stop()
  }
}
