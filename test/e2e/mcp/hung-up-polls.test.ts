import { request as httpRequest } from 'node:http'
import { PassThrough } from 'node:stream'
import { expect, it, onTestFinished } from 'vitest'
import { Safebot } from '../../../servers/safebot/index.js'
import { createInstance } from '../../../servers/understudy/instance.js'
import { mirrored, modernCall } from '../../support/clients/modern.js'
import { BOTH, rpc } from '../../support/clients/raw-http.js'
import { createRoom, say } from '../../support/clients/room.js'
import { until } from '../../support/until.js'

const legacyCall = (name: string, args: object, id: unknown) =>
  rpc('tools/call', { name, arguments: args }, id)

const ERAS = [
  ['legacy', legacyCall, () => ({})],
  ['modern', modernCall, mirrored],
] as const

async function start() {
  const instance = await createInstance({ clock: 'manual', seed: 'test' })
  const { safebot, url } = await Safebot.listen(instance)
  onTestFinished(async () => {
    await safebot.close()
    await instance.close()
  })
  const sender = await safebot.connect({ handle: 'sender' })
  const room = await createRoom(sender)
  const ended = (outcome?: 'aborted') =>
    until(() => instance.journal.entries({ tool: 'claim_task', ...(outcome && { outcome }) }).length === 1)
  /** The leases that are good after a task has come. */
  const leases = async () => {
    await say(sender, room, 'a task')
    const { rooms } = await safebot.controlled().state({ secrets: false, latest: 0 })
    return rooms.flatMap(({ consumers }) => consumers.flatMap(({ lease }) => lease ?? []))
  }
  return { instance, safebot, mcpUrl: `${url}/mcp`, room, ended, leases }
}

it.each(ERAS)('a %s caller that hangs up while claim_task waits takes no lease', async (_, call, headers) => {
  const { instance, mcpUrl, room, ended, leases } = await start()
  const body = call('claim_task', { url: room, timeout_seconds: 90 }, 1)
  const request = httpRequest(mcpUrl, {
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
  await instance.clock.whenPending(1)
  request.destroy()
  await ended('aborted')
  expect(await leases()).toEqual([])
})

it.each(ERAS)('a %s caller on a pipe that cancels its claim_task takes no lease', async (_, call) => {
  const { instance, safebot, room, ended, leases } = await start()
  const [input, output] = [new PassThrough(), new PassThrough()]
  output.resume()
  safebot.serveStdio(input, output, { handle: 'waiter' }, () => undefined)
  input.write(`${JSON.stringify(call('claim_task', { url: room, timeout_seconds: 90 }, 1))}\n`)
  await instance.clock.whenPending(1)
  const cancelled = { jsonrpc: '2.0', method: 'notifications/cancelled', params: { requestId: 1 } }
  input.write(`${JSON.stringify(cancelled)}\n`)
  await ended('aborted')
  expect(await leases()).toEqual([])
})
