import {
  Client as ClientV2,
  StreamableHTTPClientTransport as HttpTransportV2,
  type VersionNegotiationMode,
} from '@modelcontextprotocol/client'
import { StdioClientTransport as StdioTransportV2 } from '@modelcontextprotocol/client/stdio'
import { Client } from '@modelcontextprotocol/sdk/client/index.js'
import { StdioClientTransport } from '@modelcontextprotocol/sdk/client/stdio.js'
import { ToolListChangedNotificationSchema } from '@modelcontextprotocol/sdk/types.js'
import { onTestFinished } from 'vitest'
import { connectOverHttp } from '../servers/instanode.js'
import { MODERN } from './modern.js'

/** The target that a client connects to: the URL of an endpoint, or the arguments of a Node program that serves stdio. */
export type Target = string | readonly string[]

/** A connected official client, with one interface for both generations of the SDK. */
export interface OfficialClient {
  /** The names of the tools. */
  list(): Promise<string[]>
  call(name: string, args?: Record<string, unknown>, signal?: AbortSignal): Promise<unknown>
  /** Subscribes to changes of the list. `changed` resolves at the first notice of a change. */
  watchTools(): Promise<{ changed: Promise<void> }>
}

export interface OfficialClientKind {
  name: string
  /** The protocol revision that it uses with a server of every revision. */
  revision: string
  connect(target: Target): Promise<OfficialClient>
}

const LATEST_LEGACY = '2025-11-25'

/** The official TypeScript clients: generation 1, and generation 2 in each mode of version negotiation. */
export const OFFICIAL_CLIENTS: readonly OfficialClientKind[] = [
  { name: 'sdk 1', revision: LATEST_LEGACY, connect: connectV1 },
  { name: 'client 2, by default,', revision: LATEST_LEGACY, connect: target => connectV2(target) },
  { name: 'client 2 in auto mode', revision: MODERN, connect: target => connectV2(target, 'auto') },
  {
    name: `client 2 pinned to ${MODERN}`,
    revision: MODERN,
    connect: target => connectV2(target, { pin: MODERN }),
  },
]

async function connectV1(target: Target): Promise<OfficialClient> {
  const client = typeof target === 'string' ? await connectOverHttp(target) : await pipedV1(target)
  return {
    list: async () => (await client.listTools()).tools.map(({ name }) => name),
    async call(name, args = {}, signal) {
      const options = signal === undefined ? {} : { signal }
      return client.callTool({ name, arguments: args }, undefined, options)
    },
    async watchTools() {
      const changed = new Promise<void>(resolve => {
        client.setNotificationHandler(ToolListChangedNotificationSchema, () => resolve())
      })
      return { changed }
    },
  }
}

async function pipedV1(args: readonly string[]): Promise<Client> {
  const client = new Client({ name: 'test', version: '1' })
  await client.connect(new StdioClientTransport({ command: process.execPath, args: [...args] }))
  onTestFinished(() => client.close())
  return client
}

/** @param mode default: the client's own */
async function connectV2(target: Target, mode?: VersionNegotiationMode): Promise<OfficialClient> {
  const options = mode === undefined ? {} : { versionNegotiation: { mode } }
  const client = new ClientV2({ name: 'test', version: '1' }, options)
  const transport =
    typeof target === 'string'
      ? new HttpTransportV2(new URL(target))
      : new StdioTransportV2({ command: process.execPath, args: [...target] })
  await client.connect(transport)
  onTestFinished(() => client.close())
  const isModern = mode !== undefined && mode !== 'legacy'
  return {
    list: async () => (await client.listTools()).tools.map(({ name }) => name),
    call: (name, args = {}, signal) =>
      client.callTool({ name, arguments: args }, signal === undefined ? {} : { signal }),
    async watchTools() {
      const changed = new Promise<void>(resolve => {
        client.setNotificationHandler('notifications/tools/list_changed', () => resolve())
      })
      if (isModern) await client.listen({ toolsListChanged: true })
      return { changed }
    },
  }
}
