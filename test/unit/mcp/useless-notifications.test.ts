import { once } from 'node:events'
import { PassThrough } from 'node:stream'
import { expect, it, onTestFinished } from 'vitest'
import { createInstance } from '../../../servers/understudy/instance.js'
import { Clock } from '../../../shared/clock/clock.js'
import { McpHost } from '../../../shared/mcp/host.js'
import { StdioConversation } from '../../../shared/mcp/stdio.js'
import { mountTools } from '../../../shared/mcp/tool-server.js'

const USELESS = [
  { progressToken: [], progress: 'CANARY-secret' },
  {},
  { progressToken: 7, progress: 1, message: 'CANARY-secret' },
].map(params => ({ jsonrpc: '2.0', method: 'notifications/progress', params }))

const PING = { jsonrpc: '2.0', id: 1, method: 'ping' }

/** A client on a pipe, what was logged of it, and the machine's time, which is manual. */
async function start() {
  const machine = new Clock({ mode: 'manual' })
  const logged: unknown[][] = []
  const note = (...line: unknown[]) => void logged.push(line)
  const log = { warn: note, error: note }
  const instance = { ...(await createInstance({ clock: 'manual' })), machine, log }
  const host = new McpHost<string>({
    name: 'toy',
    instance,
    identify: () => 'alice',
    nameOf: caller => caller,
    onError: error => note('unexpected', error),
  })
  await mountTools({ name: 'toy', version: '1', tools: [], host, log })
  onTestFinished(async () => {
    await host.close()
    machine.close()
    await instance.close()
  })
  const [input, output] = [new PassThrough(), new PassThrough()]
  new StdioConversation({ host, caller: 'alice', input, output, onEnd: () => undefined })
  /** Sends messages; resolves when all of them have been handled. */
  const send = async (messages: readonly object[]) => {
    for (const message of [...messages, PING]) input.write(`${JSON.stringify(message)}\n`)
    await once(output, 'data')
  }
  return { send, logged, machine }
}

it.each(USELESS)('logs one line for $method with $params, without its text or a stack', async message => {
  const { send, logged } = await start()
  await send([message])
  expect(logged).toEqual([[expect.stringMatching(/^toy: a notification from a client is malformed, .*$/)]])
  expect(JSON.stringify(logged)).not.toContain('CANARY')
})

it('logs no more than one such line a minute', async () => {
  const { send, logged, machine } = await start()
  await send([...USELESS, ...USELESS])
  expect(logged).toHaveLength(1)
  await machine.advance(59_999)
  await send(USELESS)
  expect(logged).toHaveLength(1)
  await machine.advance(1)
  await send(USELESS)
  expect(logged).toHaveLength(2)
})
