import pg from 'pg'
import { asSchema } from '../fuzz/json-values.js'
import type { Target } from '../fuzz/target.js'
import type { Dice } from '../history/dice.js'

/** One piece of work. It may fail where trouble was made on purpose. A status of 500 is a finding. */
type Job = (load: Load) => Promise<void>

/** Faults that are set for a while. None answers with 500, so that each 500 is a defect. */
const FAULTS = [
  { server: 'safebot', tool: 'room_status', when: { every: 3 }, do: { delayMs: 20 } },
  { server: 'safebot', tool: 'send_message', when: { nth: 2 }, do: { toolError: 'soak' } },
  { server: 'safebot', tool: 'claim_task', when: { every: 4 }, do: { drop: 'after' } },
  { server: 'instanode', tool: 'list_resources', when: { first: 2 }, do: { httpStatus: 418 } },
  { server: 'safebot', tool: 'get_transcript', when: { every: 2 }, do: { malformed: 'truncated' } },
  { server: 'safebot', tool: 'send_message', when: { every: 5 }, do: { hang: true } },
]

/** Milliseconds: past a lease, past the life of what is free, and a little. */
const JUMPS = [1_000, 60_001, 25 * 60 * 60_000]

/** The work that a running instance has, and the trouble that tests make. */
export class Load {
  readonly findings = new Set<string>()
  done = 0
  failed = 0
  #room = ''

  constructor(
    readonly target: Target,
    readonly dice: Dice,
  ) {}

  /** Does one job after another until it is over. */
  async work(isOver: () => boolean): Promise<void> {
    while (!isOver()) {
      try {
        await this.dice.pick(JOBS)(this)
        this.done++
      } catch {
        this.failed++
      }
    }
  }

  async ask(url: string, body: unknown = {}, method = 'POST') {
    const answer = await this.target.post(url, body, method)
    if (answer.status === 500)
      this.findings.add(`${method} ${new URL(url).pathname}: ${answer.status} ${JSON.stringify(answer.body)}`)
    return answer
  }

  control(path: string, body: unknown = {}, method = 'POST') {
    return this.ask(`${this.target.urls.control}${path}`, body, method)
  }

  /** Calls a tool of Safebot, half of the time through the gateway. */
  async tool(name: string, args: Record<string, unknown>) {
    const [, gateway = ''] = this.target.urls.gateways
    const url = this.dice.percent(50) ? gateway : `${this.target.urls.safebot}/mcp`
    const params = { name, arguments: args }
    const { body } = await this.ask(url, { jsonrpc: '2.0', id: 1, method: 'tools/call', params })
    return asSchema(asSchema(body.result).structuredContent)
  }

  async room(): Promise<string> {
    if (this.#room === '' || this.dice.percent(10))
      this.#room = String((await this.target.tool(this.target.urls.safebot, 'create_room', {})).url)
    return this.#room
  }
}

const tasks: Job = async load => {
  const url = await load.room()
  await load.tool('send_message', { url, text: 'x'.repeat(load.dice.below(5_000)) })
  const { task, claim_id } = await load.tool('claim_task', { url, timeout_seconds: 1 })
  await load.tool('ack_task', { url, seq: asSchema(task).seq, claim_id })
  await load.tool('get_transcript', { url })
}

const database: Job = async load => {
  const { instanode } = load.target.urls
  const { body } = await load.ask(`${instanode}/db/new`, { name: 'soak' })
  if (typeof body.connection_url !== 'string') throw new Error(JSON.stringify(body))
  const client = new pg.Client(body.connection_url)
  client.on('error', () => undefined)
  try {
    await client.connect()
    await client.query(
      'CREATE TABLE rows AS SELECT n, repeat($$x$$, 100) AS body FROM generate_series(1, 2000) n',
    )
    await client.query('SELECT count(*) FROM rows WHERE n > $1', [10])
  } finally {
    await client.end().catch(() => undefined)
    await load.ask(`${instanode}/api/me/resources/${body.token}`, {}, 'DELETE')
  }
}

const receiver: Job = async load => {
  const { body } = await load.ask(`${load.target.urls.instanode}/webhook/new`, { name: 'soak' })
  for (let sent = 0; sent < 5; sent++)
    await load.ask(String(body.receive_url), { sent, text: 'x'.repeat(load.dice.below(20_000)) })
  await load.ask(`${load.target.urls.instanode}/api/me/resources/${body.token}`, {}, 'DELETE')
}

const clock: Job = async load => {
  await load.control('/clock/advance', { ms: load.dice.pick(JUMPS) })
}

const snapshot: Job = async load => {
  const { id } = (await load.control('/snapshots')).body
  await tasks(load)
  await load.control(`/snapshots/${id}/restore`)
  await load.control(`/snapshots/${id}`, {}, 'DELETE')
}

const faults: Job = async load => {
  await load.control('/faults', [load.dice.pick(FAULTS)], 'PUT')
  // A fault that answers nothing would hold each caller up for as long as it has patience.
  await Promise.race([
    tasks(load),
    load.control('/journal/wait', { where: { tool: 'ack_task' }, timeoutMs: 500 }),
  ])
  await load.control('/faults', [], 'DELETE')
}

const streams: Job = async load => {
  const urls = ['/journal/stream', '/gateways/audit/stream', '/journal?limit=5', '/state', '/metrics']
  for (const path of urls) {
    const closing = new AbortController()
    const response = await fetch(load.target.urls.control + path, { signal: closing.signal })
    await response.body?.getReader().read()
    closing.abort()
  }
}

/** Often what is cheap and common, seldom what is dear. */
const JOBS: readonly Job[] = [
  ...[tasks, tasks, tasks, tasks, tasks, tasks, receiver, receiver, receiver, streams, streams, clock, clock],
  ...[database, faults, snapshot],
]
