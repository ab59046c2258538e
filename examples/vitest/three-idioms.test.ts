import { createUnderstudy, type Understudy } from 'mcp-understudy'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { callTool, startGateway } from '../gateway.mjs'

let upstream: Understudy

beforeEach(async () => {
  upstream = await createUnderstudy({ clock: 'manual', seed: 'example' })
})
afterEach(() => upstream.close())

test('time travel: a task that nobody acknowledges comes back after 60 seconds', async () => {
  const asker = await upstream.safebot.connect({ handle: 'asker' })
  const worker = await upstream.safebot.connect({ handle: 'worker' })
  const call = async (client: typeof asker, name: string, args: Record<string, unknown> = {}) =>
    Object((await client.callTool({ name, arguments: args })).structuredContent)

  const { url } = await call(asker, 'create_room')
  await call(asker, 'send_message', { url, text: 'water the plants' })
  const first = await call(worker, 'claim_task', { url })

  await upstream.clock.advance(60_001) // a minute, in no time

  const second = await call(worker, 'claim_task', { url })
  expect(second.task.text).toBe('water the plants')
  expect(second.claim_id).not.toBe(first.claim_id)
})

test('the denied call never arrived', async () => {
  const gateway = await startGateway(upstream.instanode.mcpUrl, ['delete_resource'])
  const token = 'understudy-paid-token'
  const { structuredContent: made } = await callTool(
    gateway.url,
    'create_webhook',
    { name: 'precious' },
    token,
  )

  const answer = await callTool(gateway.url, 'delete_resource', { token: made.token }, token)

  expect(answer.content[0].text).toBe('denied by policy: delete_resource')
  upstream.journal.expectNothing({ tool: 'delete_resource' }) // or throws, with what did arrive
  await upstream.journal.waitFor({ tool: 'create_webhook', outcome: 'ok' }) // and the gateway does pass things on
  await gateway.close()
})

test('a fault on the second call', async () => {
  upstream.faults.set([
    {
      server: 'instanode',
      tool: 'list_resources',
      when: { nth: 2 },
      do: { toolError: 'the database is away' },
    },
  ])
  const list = () => callTool(upstream.instanode.mcpUrl, 'list_resources', {}, 'understudy-paid-token')

  expect((await list()).isError).toBeUndefined()
  expect((await list()).content[0].text).toContain('the database is away')
  expect((await list()).isError).toBeUndefined()
  upstream.faults.expectAllHit() // a fault that never came is a test that tested nothing
})
