import { rejects } from 'node:assert/strict'
import { once } from 'node:events'
import pg from 'pg'
import { z } from 'zod'
import { Refusal } from '../../shared/errors.js'
import { assertEqual } from './agents.js'
import type { Scene } from './narrator.js'
import type { DemoStage } from './stage.js'

const ESPRESSO = [{ what: 'one espresso' }]

/** The scenes of the demo, in their order. */
export const SCENES: readonly Scene<DemoStage>[] = [
  {
    title: 'An agent without an account creates two databases',
    about: 'Ana has no account. Her resources are real and small, and expire after 24 hours.',
    async play({ ana }, step) {
      const database = z.object({ connection_url: z.string(), tier: z.string(), limits: z.unknown() })
      const create = async (name: string) => {
        const created = await ana.instanode.call('create_postgres', { name }, database)
        assertEqual('the tier', created.tier, 'anonymous')
        assertEqual('the limits', created.limits, { storage_mb: 10, connections: 2, expires_in: '24h' })
        await step('ana', `calls create_postgres, name "${name}"`, 'anonymous: 10 MB, 2 connections, 24 h')
        return created.connection_url
      }

      const url = await create('orders')
      await query(url, "CREATE TABLE item (what text); INSERT INTO item VALUES ('one espresso')")
      assertEqual('the rows of "orders"', await query(url, 'SELECT what FROM item'), ESPRESSO)
      await step('ana', 'creates a table with pg, inserts and selects a row', 'the row: "one espresso"')
      await create('scratch')
    },
  },
  {
    title: 'A webhook receiver gets a request',
    about: 'A webhook receiver is a URL that keeps the requests sent to it.',
    async play({ ana }, step) {
      const receiver = z.object({ receive_url: z.string() })
      const { receive_url: url } = await ana.instanode.call('create_webhook', { name: 'inbox' }, receiver)
      await step('ana', 'calls create_webhook, name "inbox"', 'a receiver, and its URL')

      const body = '{"paid":true}'
      const { status } = await fetch(url, { method: 'POST', body })
      assertEqual('the status of the delivery', status, 200)
      await step('a shop', `POSTs ${body} to that URL`, 'HTTP 200')

      const kept = z.object({ requests: z.array(z.object({ method: z.string(), body: z.string() })) })
      const { requests } = kept.parse(await (await fetch(url)).json())
      assertEqual('the kept requests', requests, [{ method: 'POST', body }])
      await step('ana', 'GETs that URL', `one request: POST ${body}`)
    },
  },
  {
    title: 'A paid account claims resources',
    about: 'Ben works for a paid account, whose credential only the gateway has. A token is enough to claim.',
    async play(stage, step) {
      await checkLimits(10, 2, '2026-01-02T00:00:00.000Z')
      for (const name of ['orders', 'inbox']) {
        const { token } = await findResource(stage, name)
        const claimed = z.object({ name: z.literal(name), tier: z.literal('paid') })
        await stage.ben.instanode.call('claim_token', { token }, claimed)
        await step('ben', `calls claim_token with the token of "${name}"`, 'claimed: paid tier')
      }
      await checkLimits(500, 5, null)

      /**
       * Checks the limits in the state of Instanode, and the number of connections that the database accepts.
       */
      async function checkLimits(storageMb: number, connections: number, expiresAt: string | null) {
        const orders = await findResource(stage, 'orders')
        assertEqual('the limits of "orders"', orders.limits, { storageMb, connections })
        assertEqual('the expiry of "orders"', orders.expiresAt, expiresAt)
        await checkConnections(orders.url, connections)
        const saw = `${connections} accepted. Limit: ${storageMb} MB. Expires: ${expiresAt ?? 'never'}`
        await step('anyone', 'opens connections to "orders" until one is rejected', saw)
      }
    },
  },
  {
    title: 'The 31st call in a minute is denied',
    about: 'The policy allows 30 calls of claim_token in a minute. Repeated claims count, too.',
    async play(stage, step) {
      const { clock, journal } = stage.understudy
      const agent = stage.ben.instanode
      const { token } = await findResource(stage, 'orders')
      const countReached = () => journal.entries({ tool: 'claim_token' }).length
      const rest = 30 - countReached()
      for (let calls = 0; calls < rest; calls++) await agent.call('claim_token', { token }, z.object({}))
      assertEqual('calls that reached Instanode', countReached(), 30)
      await step('ben', `calls claim_token ${rest} more times`, `${rest} results, 30 calls in all`)

      const rule = await agent.fail('denied', 'claim_token', { token })
      assertEqual('calls that reached Instanode', countReached(), 30)
      await step('ben', 'calls it once more: call 31', `denied by the rule ${rule}`)

      await clock.advance(60_000)
      await step('clock', '+60 s: the next minute begins')
      await agent.call('claim_token', { token }, z.object({}))
      await step('ben', 'calls it again', 'a result')
    },
  },
  {
    title: 'A deletion waits for an approval',
    about: 'The published policy hides delete_resource. A second policy, of this demo, requires an approval.',
    async play(stage, step) {
      const { ben, understudy, control } = stage
      const { approvals } = understudy.gateways.instanode
      const tool = 'delete_resource'
      const { token, url } = await findResource(stage, 'inbox')
      const listed = (await ben.instanode.client.listTools()).tools.map(({ name }) => name)
      assertEqual(`whether ${tool} is listed`, listed.includes(tool), false)
      const rule = await ben.instanode.fail('denied', tool, { token })
      await step(
        'ben',
        `lists ${listed.length} tools, calls the hidden ${tool}`,
        `denied by the rule ${rule}`,
      )

      const requested = new Promise<void>(resolve => approvals.subscribe(() => resolve()))
      const deleted = ben.withApproval.call(tool, { token }, z.object({ status: z.literal('deleted') }))
      // If the call wrongly needs no approval, `requested` never resolves. The race then ends with the answer
      // to the call.
      await Promise.race([requested, deleted])
      const { id = 'none', state } = approvals.list()[0] ?? {}
      assertEqual('the state of the approval', state, 'pending')
      understudy.journal.expectNothing({ tool })
      await step('ben', 'calls it under the second policy', `waits for ${id}; not reached so far`)

      await control.gateways.decide(id, 'approve')
      await step('a person', `approves it: POST /approvals/${id} {"decision":"approve"}`)
      await deleted
      const { status } = await fetch(url)
      assertEqual('the status of the receiver', status, 410)
      await step('ben', 'gets the answer to the call', 'deleted; the URL of "inbox" answers HTTP 410')
    },
  },
  {
    title: 'A worker crashes with a claimed task',
    about: 'A lease of a task lasts 60 seconds. A task that is not acknowledged by then is delivered again.',
    async play({ ana, ben, understudy: { clock, journal } }, step) {
      const tasks = ['resize the photos', 'mail the invoice'] as const
      const { url } = await ana.safebot.call('create_room', {}, z.object({ url: z.string() }))
      for (const text of tasks) await ana.safebot.call('send_message', { url, text }, z.object({}))
      assertEqual('messages in the journal', journal.entries({ tool: 'send_message' }).length, tasks.length)
      await step('ana', `creates a room and sends two tasks: "${tasks.join('", "')}"`, 'both sent')

      const task = z.object({ seq: z.int(), text: z.literal(tasks[0]) })
      const claim = z.object({ claim_id: z.string(), task })
      const worker = ben.startWorker(url)
      const first = await worker.call('claim_task', { url, timeout_seconds: 1 }, claim)
      const { process: child } = worker.client
      await step('ben/1', `calls claim_task, as process ${child.pid}`, `"${tasks[0]}"`)

      child.kill('SIGKILL')
      assertEqual('the end of the worker', await once(child, 'exit'), [null, 'SIGKILL'])
      journal.expectNothing({ tool: 'ack_task' })
      await step('ben/1', `crashes: kill -9 ${child.pid}`, 'no ack_task in the journal')

      // At exactly 60 s, the lease has not ended yet.
      await clock.advance(60_001)
      await step('clock', '+60 s and 1 ms: the lease ends')
      const second = await ben.safebot.call('claim_task', { url, timeout_seconds: 1 }, claim)
      assertEqual('the task', second.task, first.task)
      assertEqual('whether the claim is new', second.claim_id !== first.claim_id, true)
      await step('ben/2', 'calls claim_task', `"${tasks[0]}" again, under a new claim`)

      const ack = ({ claim_id, task: { seq } }: typeof first) => ({ url, claim_id, seq })
      const error = await ben.safebot.fail('rejected', 'ack_task', ack(first))
      assertEqual('whether the error is a 409', error.includes('409'), true)
      await step('ben/2', 'calls ack_task under the first claim', 'rejected by Safebot: 409, a stale claim')
      await ben.safebot.call('ack_task', ack(second), z.object({ advanced: z.literal(true) }))
      await step('ben/2', 'calls ack_task under the new claim', 'acknowledged')
    },
  },
  {
    title: 'A day passes',
    about: '"scratch" was never claimed. "orders" belongs to the account.',
    async play(stage, step) {
      const names = async () => (await stage.control.state()).instanode?.resources.map(({ name }) => name)
      const { url: scratch } = await findResource(stage, 'scratch')
      const { url: orders } = await findResource(stage, 'orders')
      await query(scratch, 'SELECT 1')
      assertEqual('the resources', await names(), ['orders', 'scratch'])
      await stage.understudy.clock.advance(24 * 60 * 60 * 1000)
      assertEqual('the resources', await names(), ['orders'])
      await step('clock', '+24 h: unclaimed resources expire, with their logins')

      await rejects(connect(scratch), { message: /^password authentication failed/ })
      await step('ana', 'connects to "scratch" with pg', 'rejected: password authentication failed')
      assertEqual('the rows of "orders"', await query(orders, 'SELECT what FROM item'), ESPRESSO)
      await step('ana', 'connects to "orders"', 'the row: "one espresso"')
    },
  },
]

/**
 * Reads a resource and its secrets from the control plane.
 *
 * @throws Refusal if the resource does not exist
 */
async function findResource({ control }: DemoStage, name: string) {
  const { instanode } = await control.state({ secrets: true })
  const resource = instanode?.resources.find(other => other.name === name)
  if (resource === undefined) throw new Refusal('demo_failed', `the resource "${name}" does not exist`)
  return resource
}

/** Checks that a database accepts `count` connections at the same time, and rejects one more. */
async function checkConnections(url: string, count: number): Promise<void> {
  const open: pg.Client[] = []
  try {
    while (open.length < count) open.push(await connect(url))
    await rejects(connect(url), { code: '53300' }) // too_many_connections
  } finally {
    for (const client of open) await client.end()
  }
}

/** Runs SQL in a new connection. @returns the rows */
async function query(url: string, sql: string): Promise<unknown[]> {
  const client = await connect(url)
  const { rows } = await client.query(sql).finally(() => client.end())
  return rows
}

async function connect(url: string): Promise<pg.Client> {
  const client = new pg.Client(url)
  // The database server may end a session. Without this listener, the error would end the demo.
  client.on('error', () => undefined)
  await client.connect()
  return client
}
