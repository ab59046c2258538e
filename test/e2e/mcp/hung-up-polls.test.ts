import { request as httpRequest } from 'node:http'
import { PassThrough } from 'node:stream'
import { expect, it } from 'vitest'
import { Safebot } from '../../../servers/safebot/index.js'
import { createInstance } from '../../../servers/understudy/instance.js'
import { mirrored, modernCall } from '../../support/clients/modern.js'
import { BOTH, rpc } from '../../support/clients/raw-http.js'
import { claimNow, createRoom, say } from '../../support/clients/room.js'
import { startUnderstudy } from '../../support/servers/understudy.js'
import { until } from '../../support/until.js'

const legacyCall = (name: string, args: object, id: unknown) =>
  rpc('tools/call', { name, arguments: args }, id)

it.each([
  ['legacy', legacyCall, () => ({})],
  ['modern', modernCall, mirrored],
] as const)('a %s caller that hangs up while claim_task waits takes no lease', async (_, call, headers) => {
  const { safebot, journal } = await startUnderstudy()
  const client = await safebot.connect({ handle: 'sender' })
  const url = await createRoom(client)
  const body = call('claim_task', { url, timeout_seconds: 90 }, 1)
  const request = httpRequest(safebot.mcpUrl, {
    method: 'POST',
    headers: {
      'content-type': 'application/json',
      accept: BOTH,
      'x-safebot-handle': 'waiter',
      ...headers(body),
    },
  })
  request.on('error', () => undefined)
  request.end(JSON.stringify(body))
  await until(() => journal.entries({ tool: 'claim_task', caller: 'waiter' }).length === 1)
  request.destroy()
  await until(() => journal.entries({ tool: 'claim_task', outcome: 'aborted' }).length === 1)
  await say(client, url, 'a task')
  expect(await claimNow(await safebot.connect({ handle: 'worker' }), url)).toMatchObject({ text: 'a task' })
})

it.each([
  ['legacy', legacyCall],
  ['modern', modernCall],
] as const)('a %s caller on a pipe that cancels its claim_task takes no lease', async (_, call) => {
  const instance = await createInstance({ clock: 'manual', seed: 'test' })
  const safebot = await Safebot.create(instance)
  const [input, output] = [new PassThrough(), new PassThrough()]
  output.resume()
  safebot.serveStdio(input, output, { handle: 'waiter' }, () => undefined)
  const client = await safebot.connect({ handle: 'sender' })
  const url = await createRoom(client)
  const cancelled = { jsonrpc: '2.0', method: 'notifications/cancelled', params: { requestId: 1 } }
  input.write(`${JSON.stringify(call('claim_task', { url, timeout_seconds: 90 }, 1))}\n`)
  await until(() => instance.journal.entries({ tool: 'claim_task', caller: 'waiter' }).length === 1)
  input.write(`${JSON.stringify(cancelled)}\n`)
  await until(() => instance.journal.entries({ tool: 'claim_task', outcome: 'aborted' }).length === 1)
  await say(client, url, 'a task')
  expect(await claimNow(await safebot.connect({ handle: 'worker' }), url)).toMatchObject({ text: 'a task' })
  await safebot.close()
  await instance.close()
})
