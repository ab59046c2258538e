import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { createUnderstudy } from 'mcp-understudy'
import { callTool, startGateway } from '../gateway.mjs'

const token = 'understudy-paid-token'
let upstream

before(async () => {
  upstream = await createUnderstudy({ clock: 'manual', seed: 'example' })
})
after(() => upstream.close())

test('time travel: what was free is gone after 24 hours', async () => {
  const { mcpUrl } = upstream.instanode
  const { structuredContent: made } = await callTool(mcpUrl, 'create_webhook', { name: 'for a day' })
  assert.equal((await fetch(made.receive_url, { method: 'POST', body: 'hello' })).status, 200)

  await upstream.clock.advance(24 * 3600_000) // a day, in no time

  assert.equal((await fetch(made.receive_url, { method: 'POST', body: 'hello?' })).status, 410)
})

test('the denied call never arrived', async () => {
  await upstream.reset() // each test begins where the first did
  const gateway = await startGateway(upstream.instanode.mcpUrl, ['get_api_token'])

  const answer = await callTool(gateway.url, 'get_api_token', {}, token)

  assert.equal(answer.isError, true)
  upstream.journal.expectNothing({ tool: 'get_api_token' })
  await gateway.close()
})

test('a fault on the second call: the connection breaks, though the tool has run', async () => {
  await upstream.reset()
  upstream.faults.set([
    { server: 'instanode', tool: 'create_webhook', when: { nth: 2 }, do: { drop: 'after' } },
  ])
  const create = name => callTool(upstream.instanode.mcpUrl, 'create_webhook', { name }, token)

  await create('one')
  await assert.rejects(create('two'))

  const { structuredContent } = await callTool(upstream.instanode.mcpUrl, 'list_resources', {}, token)
  assert.deepEqual(structuredContent.resources.map(({ name }) => name).sort(), ['one', 'two'])
  upstream.faults.expectAllHit()
})
