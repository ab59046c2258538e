import {
  Client as ModernClient,
  StreamableHTTPClientTransport as ModernTransport,
} from '@modelcontextprotocol/client'
import { Client } from '@modelcontextprotocol/sdk/client/index.js'
import { StreamableHTTPClientTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js'
import { CreateMessageRequestSchema } from '@modelcontextprotocol/sdk/types.js'
import { expect, it, onTestFinished } from 'vitest'
import { createInstance } from '../../../servers/understudy/instance.js'
import { Listener } from '../../../shared/http/listener.js'
import { McpHost } from '../../../shared/mcp/host.js'
import { McpEndpoint } from '../../../shared/mcp/http/endpoint.js'
import { modernFixture } from '../../conformance/fixture/modern.js'
import { fixtureServer } from '../../conformance/fixture/server.js'
import { MODERN, modernCall, sendModern } from '../../support/clients/modern.js'
import { rpc, send } from '../../support/clients/raw-http.js'

/** A server with tools that ask their caller something, from the fixture of the conformance suite. */
async function askingServer(): Promise<string> {
  const instance = await createInstance()
  const { machine, ids, log } = instance
  const host = new McpHost({
    name: 'asking',
    instance,
    identify: () => 'anybody',
    nameOf: caller => caller,
    onError: () => undefined,
  })
  await host.mount(fixtureServer(), modernFixture(host))
  const endpoint = new McpEndpoint({ host, machine, ids, log })
  const listener = await Listener.open({
    host: '127.0.0.1',
    port: 0,
    name: 'asking',
    handlers: async () => ({ mcp: endpoint }),
  })
  onTestFinished(async () => {
    endpoint.close()
    await listener.close()
    await host.close()
    await instance.close()
  })
  return `${listener.url}/mcp`
}

const prompt = { name: 'test_sampling', arguments: { prompt: 'hello' } }

it('a tool asks each caller, and gets the answer of that caller', async () => {
  const url = await askingServer()
  const answers = await Promise.all(
    ['one', 'two'].map(async name => {
      const client = new Client({ name, version: '1' }, { capabilities: { sampling: {} } })
      client.setRequestHandler(CreateMessageRequestSchema, () => ({
        role: 'assistant',
        content: { type: 'text', text: `said by ${name}` },
        model: 'none',
      }))
      // The SDK's own declarations disagree with exactOptionalPropertyTypes about an optional session id.
      const transport: unknown = new StreamableHTTPClientTransport(new URL(url))
      await client.connect(transport as Parameters<Client['connect']>[0])
      const { content } = await client.callTool(prompt)
      await client.close()
      return content
    }),
  )
  expect(answers).toEqual([
    [{ type: 'text', text: 'LLM response: said by one' }],
    [{ type: 'text', text: 'LLM response: said by two' }],
  ])
})

it('a caller without a session cannot be asked, and the tool learns it at once', async () => {
  const { json } = await send(await askingServer(), { body: rpc('tools/call', prompt) })
  expect(json).toMatchObject({ id: 1, error: { message: expect.stringContaining('no session') } })
})

it('a tool asks a modern client in its result, and has the answer with the retry', async () => {
  const url = await askingServer()
  const client = new ModernClient(
    { name: 'modern', version: '2' },
    { capabilities: { elicitation: {} }, versionNegotiation: { mode: { pin: MODERN } } },
  )
  const asked: unknown[] = []
  client.setRequestHandler('elicitation/create', ({ params }) => {
    asked.push(params.message)
    return { action: 'accept' as const, content: { name: 'Alice', color: 'blue' } }
  })
  await client.connect(new ModernTransport(new URL(url)))
  const call = (name: string) => client.callTool({ name, arguments: {} })
  expect(await call('test_input_required_result_elicitation')).toMatchObject({
    content: [{ text: 'Hello, Alice!' }],
  })
  expect(await call('test_input_required_result_multi_round')).toMatchObject({
    content: [{ text: 'asked twice' }],
  })
  expect(asked).toEqual([
    'What is your name?',
    'Step 1: What is your name?',
    'Step 2: What is your favorite color?',
  ])
  await client.close()
})

it('a tool cannot ask a modern client for what the client has not declared', async () => {
  const url = await askingServer()
  const { status, json } = await sendModern(url, modernCall('test_missing_capability', {}, 7))
  const error = {
    code: -32021,
    message: 'the request needs a client that declares sampling',
    data: { requiredCapabilities: { sampling: {} } },
  }
  expect([status, json]).toEqual([400, { jsonrpc: '2.0', id: 7, error }])
})
