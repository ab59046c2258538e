import { createHash } from 'node:crypto'
import { setTimeout as pause } from 'node:timers/promises'
import { HistoryAgent } from './agent.js'
import { Dice } from './dice.js'
import type { HistoryEvent } from './event.js'
import { monotonicMs } from './monotonic.js'
import { Replica } from './replicas.js'
import { Worker } from './workers.js'

/** Two workers each: they share a handle, and with it a cursor. */
export const HANDLES: Readonly<Record<string, readonly string[]>> = {
  'history-one': ['north', 'south'],
  'history-two': ['north', 'south'],
}
const WORKERS_PER_HANDLE = 2

const REPLICAS = 3

/** A lease is 60 s; this has each that is held run out. */
const PAST_A_LEASE_MS = 60_001

/** A room keeps 2,000 messages; older ones would go unread. */
const SENDS_PER_ROOM = 1_800

/** A slow machine goes on until this much has been seen, for up to ten times as long: little traffic proves little. */
const FEWEST_EVENTS = 1_000
const SLOWEST = 10

export interface HistoryOptions {
  seed: string
  /** How long there is trouble at least, in milliseconds. */
  runMs: number
  /** The program that replicas are, relative to the project's folder: the command, or one that takes its arguments. */
  program: string
  /** The URL of a new store. */
  store: string
  /** Cuts every connection to the store. */
  cut(): Promise<unknown>
  /** Restarts PostgreSQL in the middle of the run. Default: it is not restarted. */
  restart?: (() => Promise<void>) | undefined
}

/** Runs the service under trouble, then in peace until nothing is left to deliver; returns all that was seen. */
export async function runHistory(options: HistoryOptions): Promise<HistoryEvent[]> {
  const { seed, program, store } = options
  const replicas: Replica[] = []
  const workers: Worker[] = []
  const events: HistoryEvent[] = []
  try {
    for (let nth = 0; nth < REPLICAS; nth++) replicas.push(await Replica.start(program, store))
    const apis = replicas.map(({ api }) => api)
    workers.push(...staff(seed, apis, event => events.push(event)))
    for (const worker of workers) worker.start()
    const begun = monotonicMs()
    const isOver = () => {
      const ms = monotonicMs() - begun
      return ms >= options.runMs * (events.length < FEWEST_EVENTS ? SLOWEST : 1)
    }
    const producers = Object.keys(HANDLES).map(room =>
      produce(room, seed, apis, isOver, event => events.push(event)),
    )
    await makeTrouble(options, isOver, replicas, workers, events)
    await Promise.all(producers)
    for (const worker of workers) await worker.kill()
    await drain(seed, replicas, events)
    return events
  } finally {
    for (const worker of workers) await worker.kill()
    for (const replica of replicas) await replica.stop()
  }
}

function staff(seed: string, replicas: readonly string[], note: (event: HistoryEvent) => void): Worker[] {
  return Object.entries(HANDLES).flatMap(([room, handles]) =>
    handles.flatMap(handle =>
      Array.from({ length: WORKERS_PER_HANDLE }, (_, nth) => {
        const name = `${seed} ${room} ${handle} ${nth}`
        return new Worker({ handle, room, key: keyOf(seed, room), replicas, seed: name }, note)
      }),
    ),
  )
}

async function produce(
  room: string,
  seed: string,
  apis: readonly string[],
  isOver: () => boolean,
  note: (event: HistoryEvent) => void,
): Promise<void> {
  const dice = new Dice(`${seed} ${room} producer`)
  const agent = agentOf('producer', room, seed, note)
  for (let sent = 0; !isOver() && sent < SENDS_PER_ROOM; sent++) {
    if (!(await agent.send(dice.pick(apis), `${room} task ${sent}`))) await pause(20)
    await pause(dice.below(30))
  }
}

async function makeTrouble(
  { seed, cut, restart, runMs }: HistoryOptions,
  isOver: () => boolean,
  replicas: readonly Replica[],
  workers: readonly Worker[],
  events: HistoryEvent[],
): Promise<void> {
  const dice = new Dice(`${seed} trouble`)
  const trouble = (what: Extract<HistoryEvent, { kind: 'trouble' }>['what']) =>
    events.push({ kind: 'trouble', what, at: monotonicMs() })
  const comingBack = new Set<Replica>()
  const restarts: Promise<void>[] = []
  const middle = monotonicMs() + runMs / 2
  let restarted = restart === undefined
  while (!isOver()) {
    await pause(100 + dice.below(400))
    // A replica that starts needs PostgreSQL.
    if (!restarted && monotonicMs() >= middle && comingBack.size === 0) {
      restarted = true
      await restart?.()
      trouble('PostgreSQL restarted')
      continue
    }
    const fate = dice.below(100)
    if (fate < 40) {
      const worker = dice.pick(workers)
      await worker.kill()
      trouble('worker killed')
      worker.start()
    } else if (fate < 50) {
      const replica = dice.pick(replicas)
      if (comingBack.size > 0) continue
      await replica.kill()
      trouble('replica killed')
      const back = pause(dice.below(1000))
        .then(() => replica.restart())
        .finally(() => comingBack.delete(replica))
      // Thrown at the end. Until then it is no unhandled rejection.
      back.catch(() => undefined)
      restarts.push(back)
      comingBack.add(replica)
    } else if (fate < 60) {
      await cut()
      trouble('connections cut')
    } else {
      await advance(dice.pick(replicas.filter(replica => !comingBack.has(replica))), events)
    }
  }
  await Promise.all(restarts)
}

/** One that was not answered may have happened: it has begun, and never ended. */
async function advance(replica: Replica, events: HistoryEvent[]): Promise<boolean> {
  const begun = monotonicMs()
  const known = await replica.advance(PAST_A_LEASE_MS)
  const ended = known ? monotonicMs() : Number.POSITIVE_INFINITY
  events.push({ kind: 'advanced', byMs: PAST_A_LEASE_MS, begun, ended })
  return known
}

/** Takes what is left for every handle, each from another replica. */
async function drain(seed: string, replicas: readonly Replica[], events: HistoryEvent[]): Promise<void> {
  const [first] = replicas
  if (first === undefined || !(await advance(first, events)))
    throw new Error('the clock did not advance in peace')
  const cursors = Object.entries(HANDLES).flatMap(([room, handles]) =>
    handles.map(handle => ({ room, handle })),
  )
  await Promise.all(
    cursors.map(async ({ room, handle }, nth) => {
      const agent = agentOf(handle, room, seed, event => events.push(event))
      for (;;) {
        const { api } = replicas[nth++ % replicas.length] ?? first
        const claimed = await agent.claim(api, 1)
        if (claimed === 'nothing') return
        if (claimed === 'unanswered') throw new Error(`${api} did not answer in peace: ${agent.refusal}`)
        await agent.ack(api, claimed)
      }
    }),
  )
}

/** One of this process: what it begins and hears nothing of is noted when it begins something else. */
function agentOf(
  handle: string,
  room: string,
  seed: string,
  note: (event: HistoryEvent) => void,
): HistoryAgent {
  let open: HistoryEvent | undefined
  return new HistoryAgent({
    ...{ handle, room, key: keyOf(seed, room) },
    note(begun, seen) {
      if (begun !== undefined && open !== undefined) note(open)
      open = begun
      if (seen !== undefined) note(seen)
    },
  })
}

function keyOf(seed: string, room: string): string {
  return createHash('sha256').update(`${seed} ${room}`).digest('base64url')
}
