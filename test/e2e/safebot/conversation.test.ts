import { Client } from '@modelcontextprotocol/sdk/client/index.js'
import { StdioClientTransport } from '@modelcontextprotocol/sdk/client/stdio.js'
import { StreamableHTTPClientTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js'
import { expect, it, onTestFinished } from 'vitest'
import { COMMAND } from '../../support/clients/command.js'
import { ack, claimNow, createRoom, say } from '../../support/clients/room.js'
import { call, refused, startUnderstudy, textOf } from '../../support/servers/understudy.js'

async function overHttp(url: string, handle: string): Promise<Client> {
  const client = new Client({ name: handle, version: '1' })
  const requestInit = { headers: { 'x-safebot-handle': handle } }
  // The SDK's own declarations disagree with exactOptionalPropertyTypes about an optional session id.
  const transport: unknown = new StreamableHTTPClientTransport(new URL(url), { requestInit })
  await client.connect(transport as Parameters<Client['connect']>[0])
  onTestFinished(() => client.close())
  return client
}

it('over HTTP: two handles, a crash, a redelivery, and an acknowledgement that comes too late', async () => {
  const { safebot, clock, journal } = await startUnderstudy()
  const boss = await overHttp(safebot.mcpUrl, 'boss')
  const url = await createRoom(boss)

  const parked = await overHttp(safebot.mcpUrl, 'worker')
  const claiming = call(parked, 'claim_task', { url })
  await clock.whenPending(1)
  await say(boss, url, 'build it')
  expect(textOf(await claiming)).toContain('boss: build it')
  await parked.close()

  await clock.advance(60_001)
  const successor = await overHttp(safebot.mcpUrl, 'worker')
  const task = await claimNow(successor, url)
  expect(task.text).toBe('build it')
  await say(successor, url, 'done')

  await clock.advance(60_001)
  expect(await refused(successor, 'ack_task', { url, claim_id: task.claimId, seq: task.seq })).toContain(
    '409',
  )
  expect(await ack(successor, url, await claimNow(successor, url))).toBe(true)
  expect(await claimNow(boss, url)).toMatchObject({ text: 'done' })
  expect(journal.entries({ tool: 'ack_task' }).map(({ outcome }) => outcome)).toEqual(['tool_error', 'ok'])
})

it('over stdio: one agent talks to itself through the SDK client', async () => {
  const client = new Client({ name: 'test', version: '1' })
  await client.connect(
    new StdioClientTransport({
      command: process.execPath,
      args: [COMMAND, 'safebot', '--seed', 'x', '--clock', 'manual'],
    }),
  )
  onTestFinished(() => client.close())
  expect((await client.listTools()).tools).toHaveLength(8)
  const url = await createRoom(client)
  await say(client, url, 'note to self')
  expect(textOf(await call(client, 'get_transcript', { url }))).toContain('note to self')
  expect(textOf(await call(client, 'room_status', { url }))).toContain('participants: 1')
})
