import { startPostgres } from '../../support/databases/postgres-server.js'
import { type StartedServer, startServer } from '../../support/servers/started-server.js'
import { McpCaller } from '../client/mcp-caller.js'
import { UNDERSTUDY } from '../programs.js'
import type { Measurement, Row } from '../row.js'
import { median, quantile } from '../statistics.js'
import { claimAndAck, wakeOnce } from '../tasks.js'
import { pairsPerSecond } from '../two-transactions.js'

/** For each replica, each in a room of its own: nor does one of the peer's connections wait for another. */
const HANDLES = 32

const WARM_UP_CYCLES = 30
const CYCLES = 200
const ROUNDS = 3

const WAKE_UPS = 100
const WAKE_TARGET_MS = 10

/** Stand-ins that share a PostgreSQL: how many tasks they hand out, and how soon one hears of what another has taken. */
export const replicas: Row = {
  name: 'replicas',
  async measure() {
    // Committed transactions survive a crash of the machine: the default of PostgreSQL. It applies to both sides.
    const postgres = await startPostgres({ durable: true })
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
    what: `${replicas} on one PostgreSQL, 32 handles at each, each in a room of its own: \`claim_task\` + \`ack_task\`; peer: two bare transactions, as many processes`,
    unit: 'cycles/s',
    ours: reached,
    peer,
    target: 'at least 0.35× the peer',
    met: reached >= 0.35 * peer,
  }
}

async function cyclesPerSecond(apis: readonly string[]): Promise<number> {
  const workers = await Promise.all(
    apis.flatMap((api, replica) =>
      Array.from({ length: HANDLES }, async (_, nth) => {
        const room = await filledRoom(api, `${replica}-${nth}`)
        return { caller: await McpCaller.asHandle(`${api}/mcp`, `worker-${replica}-${nth}`), room }
      }),
    ),
  )
  const work = (times: number) =>
    Promise.all(
      workers.map(async ({ caller, room }) => {
        for (let done = 0; done < times; done++) await claimAndAck(caller, room)
      }),
    )
  await work(WARM_UP_CYCLES)
  const begin = performance.now()
  await work(CYCLES)
  const seconds = (performance.now() - begin) / 1000
  for (const { caller } of workers) caller.close()
  return (workers.length * CYCLES) / seconds
}

/** @returns the URL of a room with enough in it */
async function filledRoom(api: string, name: string): Promise<string> {
  const caller = await McpCaller.asHandle(`${api}/mcp`, `poster-${name}`)
  const { structuredContent } = await caller.read('create_room', {})
  const url = String(structuredContent?.url)
  for (let sent = 0; sent < WARM_UP_CYCLES + CYCLES; sent++) {
    await caller.call('send_message', { url, text: `task ${sent}` })
  }
  caller.close()
  return url
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
