import { Client } from '@modelcontextprotocol/sdk/client/index.js'
import { StdioClientTransport } from '@modelcontextprotocol/sdk/client/stdio.js'
import { StreamableHTTPClientTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js'
import {
  CreateMessageRequestSchema,
  ElicitRequestSchema,
  ListRootsRequestSchema,
} from '@modelcontextprotocol/sdk/types.js'
import { describe, expect, it, onTestFinished } from 'vitest'
import { Clock } from '../../../shared/clock/clock.js'
import { PEER, startPeer } from '../../bench/programs.js'
import { COMMAND } from '../../support/clients/command.js'
import { engineOf, startGateway } from '../../support/gateway/gateway.js'
import { call, textOf } from '../../support/servers/understudy.js'

const POLICY = 'test/bench/policies/limited.json'

/** A client that answers what a server may ask. */
async function answering(transport: unknown): Promise<Client> {
  const capabilities = { sampling: {}, elicitation: { form: {} }, roots: {} }
  const client = new Client({ name: 'agent', version: '1' }, { capabilities })
  client.setRequestHandler(CreateMessageRequestSchema, async () => ({
    model: 'a-model',
    role: 'assistant',
    content: { type: 'text', text: 'sampled' },
  }))
  client.setRequestHandler(ElicitRequestSchema, async () => ({ action: 'decline' }))
  client.setRequestHandler(ListRootsRequestSchema, async () => ({
    roots: [{ uri: 'file:///here', name: 'here' }],
  }))
  // The SDK's own declarations disagree with exactOptionalPropertyTypes about an optional session id.
  await client.connect(transport as Parameters<Client['connect']>[0])
  onTestFinished(() => client.close())
  return client
}

async function peerUrl(): Promise<string> {
  const peer = await startPeer()
  onTestFinished(() => peer.stop())
  return peer.url
}

async function overHttp(upstream: string | { command: [string, ...string[]] }): Promise<Client> {
  const clock = new Clock({ mode: 'manual' })
  const policy = engineOf({ default: 'allow', tools: {} }, clock)
  const { url } = await startGateway({ policy, clock, upstream })
  return answering(new StreamableHTTPClientTransport(new URL(url)))
}

const onStdio = (upstream: string[]) =>
  answering(
    new StdioClientTransport({
      command: process.execPath,
      args: [COMMAND, 'gateway', POLICY, ...upstream],
      stderr: 'ignore',
    }),
  )

describe('the reference server of the protocol, behind the gateway', () => {
  it.each<[string, () => Promise<Client>]>([
    ['HTTP in front of HTTP', async () => overHttp(await peerUrl())],
    ['HTTP in front of a program', () => overHttp({ command: [process.execPath, PEER, 'stdio'] })],
    ['stdio in front of HTTP', async () => onStdio(['--upstream', await peerUrl()])],
    ['stdio in front of a program', () => onStdio(['--', process.execPath, PEER, 'stdio'])],
  ])('may ask its client for samples, input and roots, and report progress: %s', async (_, connect) => {
    const client = await connect()
    expect(textOf(await call(client, 'echo', { message: 'ü' }))).toBe('Echo: ü')
    const sampled = await call(client, 'trigger-sampling-request', { prompt: 'hello', maxTokens: 10 })
    expect(textOf(sampled)).toContain('a-model')
    expect(textOf(await call(client, 'trigger-elicitation-request'))).toContain('declined')
    expect(textOf(await call(client, 'get-roots-list'))).toContain('file:///here')
    const progress: number[] = []
    await call(
      client,
      'trigger-long-running-operation',
      { duration: 0.1, steps: 3 },
      { onprogress: ({ progress: done }) => progress.push(done) },
    )
    expect(progress.slice(0, 2)).toEqual([1, 2])
  })
})
