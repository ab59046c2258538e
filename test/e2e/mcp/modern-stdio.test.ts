import { describe, expect, it } from 'vitest'
import { Revisions } from '../../../shared/mcp/revisions.js'
import { VERSION } from '../../../shared/util/version.js'
import { Command } from '../../support/clients/command.js'
import { MODERN, modernCall, modernRpc } from '../../support/clients/modern.js'
import { initialize, rpc } from '../../support/clients/raw-http.js'
import { startToyServer, type ToyPipe } from '../../support/servers/toy-server.js'

const SUBSCRIPTION = 'io.modelcontextprotocol/subscriptionId'
const TOY = { 'io.modelcontextprotocol/serverInfo': { name: 'toy', version: '1' } }

/** A client on a toy server's pipe. */
function talk({ input, output }: ToyPipe) {
  let text = ''
  output.on('data', (chunk: Buffer) => {
    text += chunk.toString('utf8')
  })
  return {
    say: (message: unknown) => void input.write(`${JSON.stringify(message)}\n`),
    /** Resolves with the first `count` messages, once they are there. */
    async heard(count: number): Promise<unknown[]> {
      while (text.split('\n').length - 1 < count) await new Promise(resolve => output.once('data', resolve))
      return text
        .split('\n')
        .slice(0, count)
        .map(line => JSON.parse(line))
    },
  }
}

async function start(revisions?: string[]) {
  const toy = await startToyServer({}, revisions && new Revisions(revisions))
  return { ...talk(toy.pipe()), toy }
}

describe('a pipe', () => {
  it('accepts modern and legacy requests in turn', async () => {
    const { say, heard } = await start()
    const messages = [
      modernRpc('server/discover', {}, 'd'),
      initialize(),
      modernCall('echo', { text: 'modern' }, 2),
      rpc('tools/call', { name: 'echo', arguments: { text: 'legacy' } }, 3),
      modernRpc('initialize', {}, 4),
      rpc('server/discover', {}, 5),
    ]
    for (const [index, message] of messages.entries()) {
      say(message)
      await heard(index + 1)
    }
    const [discovered, initialized, modern, legacy, gone, unknown] = await heard(6)
    expect(discovered).toMatchObject({ id: 'd', result: { resultType: 'complete', _meta: TOY } })
    expect(initialized).toMatchObject({ id: 1, result: { protocolVersion: '2025-11-25' } })
    const echoed = (text: string) => ({ content: [{ type: 'text', text }], structuredContent: { text } })
    expect(modern).toEqual({
      jsonrpc: '2.0',
      id: 2,
      result: { resultType: 'complete', ...echoed('modern'), _meta: TOY },
    })
    expect(legacy).toEqual({ jsonrpc: '2.0', id: 3, result: echoed('legacy') })
    expect(gone).toEqual({
      jsonrpc: '2.0',
      id: 4,
      error: { code: -32601, message: 'Method not found: initialize' },
    })
    expect(unknown).toMatchObject({ id: 5, error: { code: -32601, message: 'Method not found' } })
  })

  it('needs _meta, and no headers', async () => {
    const { say, heard } = await start()
    say(modernRpc('tools/list', {}, 1, { clientCapabilities: undefined }))
    say(modernRpc('tools/list', {}, 2, { protocolVersion: '1900-01-01' }))
    expect(await heard(2)).toMatchObject([
      { id: 1, error: { code: -32602 } },
      { id: 2, error: { code: -32022, data: { requested: '1900-01-01' } } },
    ])
  })

  it('has a modern call cancelled by a notification', async () => {
    const { say, toy } = await start()
    say(modernCall('park', { as: 'a' }, 7))
    await toy.happened('a parked')
    say({ jsonrpc: '2.0', method: 'notifications/cancelled', params: { requestId: 7, reason: 'enough' } })
    await toy.happened('a aborted: enough')
  })

  it('refuses a list of modern messages, without an id', async () => {
    const { say, heard } = await start()
    say([modernRpc('tools/list')])
    const message = 'the line is a list: this protocol revision has one message in each line'
    expect(await heard(1)).toEqual([{ jsonrpc: '2.0', error: { code: -32600, message } }])
  })

  it('reports changes once for each subscription, and not before initialize', async () => {
    const { say, heard, toy } = await start()
    say(modernRpc('subscriptions/listen', { notifications: { toolsListChanged: true } }, 'mine'))
    await heard(1)
    toy.host.announceTools()
    say(initialize())
    await heard(3)
    toy.host.announceTools()
    const method = 'notifications/tools/list_changed'
    const noticed = { jsonrpc: '2.0', method, params: { _meta: { [SUBSCRIPTION]: 'mine' } } }
    expect(await heard(5)).toEqual([
      {
        jsonrpc: '2.0',
        method: 'notifications/subscriptions/acknowledged',
        params: { notifications: { toolsListChanged: true }, _meta: { [SUBSCRIPTION]: 'mine' } },
      },
      noticed,
      expect.objectContaining({ id: 1 }),
      { jsonrpc: '2.0', method },
      noticed,
    ])
  })

  it('ends its subscriptions when the server stops', async () => {
    const { say, heard, toy } = await start()
    say(modernRpc('subscriptions/listen', { notifications: {} }, 'mine'))
    await heard(1)
    toy.host.endSubscriptions()
    const params = { requestId: 'mine', reason: 'the server is shutting down' }
    expect((await heard(2))[1]).toEqual({ jsonrpc: '2.0', method: 'notifications/cancelled', params })
  })

  it('of a modern server refuses initialize, and names its revisions', async () => {
    const { say, heard } = await start([MODERN])
    say({ jsonrpc: '2.0', id: 9, result: {} })
    say(initialize())
    say(rpc('tools/list', {}, 2))
    expect(await heard(2)).toMatchObject([
      { id: 1, error: { code: -32022, data: { supported: [MODERN], requested: '2025-11-25' } } },
      { id: 2, error: { code: -32602 } },
    ])
  })

  it('of a legacy server refuses modern requests', async () => {
    const { say, heard } = await start(['2025-06-18'])
    say(modernRpc('server/discover', {}, 1))
    say(initialize('2025-11-25'))
    expect(await heard(2)).toMatchObject([
      { id: 1, error: { code: -32601 } },
      { id: 1, result: { protocolVersion: '2025-06-18' } },
    ])
  })
})

it('the command accepts both eras on its pipe', async () => {
  const command = new Command(['safebot', '--clock', 'manual'], { SAFEBOT_MCP_HANDLE: 'alice' })
  command.say(modernRpc('server/discover', {}, 'd'))
  command.say(initialize())
  const lines = (await command.lines(2)).map(line => JSON.parse(line))
  const info = { name: 'safebot-chat', version: VERSION }
  expect(lines).toMatchObject([
    { id: 'd', result: { _meta: { 'io.modelcontextprotocol/serverInfo': info } } },
    { id: 1, result: { serverInfo: info } },
  ])
  command.process.stdin.end()
  expect((await command.exit).code).toBe(0)
})
