import { expect, it } from 'vitest'
import { Command } from '../../support/clients/command.js'
import { HttpStream } from '../../support/clients/http-stream.js'
import { openSession, rpc, send } from '../../support/clients/raw-http.js'
import { startUnderstudy } from '../../support/servers/understudy.js'

it('answers have no stamp by default', async () => {
  const { safebot } = await startUnderstudy()
  const { headers } = await send(safebot.mcpUrl, { body: rpc('ping') })
  expect(Object.keys(headers).filter(name => name.startsWith('x-understudy'))).toEqual([])
})

it('a stamped answer names its instance and the entry of its request, also if it is refused or streamed', async () => {
  const { safebot, instance, journal } = await startUnderstudy({ stamp: true })
  const session = { 'mcp-session-id': await openSession(safebot.mcpUrl) }
  const stream = await HttpStream.open(safebot.mcpUrl, 'GET', session)
  const answers = [
    await send(safebot.mcpUrl, { body: rpc('ping') }),
    await send(safebot.mcpUrl, { body: [rpc('ping'), rpc('tools/list', {}, 2)] }),
    await send(safebot.mcpUrl, { body: { jsonrpc: '2.0', method: 'notifications/initialized' } }),
    await send(safebot.mcpUrl, { body: '{' }),
    await send(safebot.mcpUrl, { body: rpc('ping'), headers: { accept: 'text/event-stream' } }),
    await send(safebot.mcpUrl, { method: 'DELETE', headers: session }),
  ]
  const stamps = [stream.response, ...answers].map(({ headers }) => headers['x-understudy-entry'])
  expect(stamps).toEqual(['2', '3', '4, 5', '6', '7', '8', '9'])
  for (const { headers } of answers) expect(headers['x-understudy-instance']).toBe(instance.name)
  expect(journal.entries({ method: 'tools/list' })[0]?.seq).toBe(5)
})

it('answers of the HTTP APIs have the same stamp, also event streams', async () => {
  const { safebot, instanode, instance, journal } = await startUnderstudy({ stamp: true })
  const events = await HttpStream.open(`${safebot.apiUrl}/api/rooms/room-1/events`, 'GET', {})
  const answers = [
    events.response,
    await send(`${safebot.apiUrl}/api/health`, { method: 'GET' }),
    await send(`${safebot.apiUrl}/nothing`, { method: 'GET' }),
    await send(`${instanode.apiUrl}/db/new`, { body: '{}' }),
  ]
  events.drop()
  for (const [at, { headers }] of answers.entries()) {
    expect(headers).toMatchObject({
      'x-understudy-instance': instance.name,
      'x-understudy-entry': String(at + 1),
    })
  }
  expect(journal.entries({ method: 'POST /db/new' })[0]?.seq).toBe(4)
})

it('the command stamps its answers with --stamp', async () => {
  const command = new Command(['safebot', '--http', '0', '--stamp'])
  const [url = ''] = await command.lines(1)
  const { headers } = await send(url, { body: rpc('ping') })
  expect(headers).toMatchObject({
    'x-understudy-instance': expect.stringMatching(/^understudy-[0-9a-f]{8}$/),
    'x-understudy-entry': '1',
  })
})

it('the trace that a request belongs to is recorded, from its header or its _meta', async () => {
  const { safebot, journal } = await startUnderstudy()
  const [one, two] = ['4bf92f3577b34da6a3ce929d0e0e4736', '5cf92f3577b34da6a3ce929d0e0e4736']
  const of = (trace: string) => `00-${trace}-00f067aa0ba902b7-01`
  await send(safebot.mcpUrl, { body: rpc('ping'), headers: { traceparent: of(one) } })
  await send(safebot.mcpUrl, { body: rpc('ping', { _meta: { traceparent: of(two) } }) })
  await send(safebot.mcpUrl, { body: rpc('ping') })
  expect(journal.entries().map(({ trace }) => trace)).toEqual([one, two, null])
})
