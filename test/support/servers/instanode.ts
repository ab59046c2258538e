import { Client } from '@modelcontextprotocol/sdk/client/index.js'
import { StreamableHTTPClientTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js'
import { onTestFinished } from 'vitest'
import { z } from 'zod'
import { Instanode, type InstanodeOptions } from '../../../servers/instanode/index.js'
import { ownedResource } from '../../../servers/instanode/owned.js'
import { createInstance, type InstanceOptions } from '../../../servers/understudy/instance.js'
import type { Instance } from '../../../shared/instance.js'
import { RecordingDatabases } from '../databases/recording-databases.js'
import { ok } from './understudy.js'

export const HOUR = 3_600_000
export const DAY = 24 * HOUR

/** The tokens of the world `default`. */
export const FREE = 'understudy-free-token'
export const PAID = 'understudy-paid-token'
export const PAID_2 = 'understudy-paid-token-2'

export interface RunningInstanode {
  instance: Instance
  instanode: Instanode
  url: string
  /** The recorded databases, unless the test brings its own. */
  databases: RecordingDatabases
  /** An SDK client over HTTP. */
  client(token?: string, address?: string): Promise<Client>
}

/** Instanode on a manual clock with a fixed seed, its databases recorded only; closed when the test is over. */
export async function startInstanode(
  options: InstanodeOptions & InstanceOptions = {},
): Promise<RunningInstanode> {
  const { contract, databases, dataDirectory, requestLimit, ...instanceOptions } = options
  const instance = await createInstance({ clock: 'manual', seed: 'test', ...instanceOptions })
  const recording = new RecordingDatabases()
  const { instanode, url } = await Instanode.listen(
    instance,
    {},
    {
      databases: databases ?? recording,
      ...(contract !== undefined && { contract }),
      ...(dataDirectory !== undefined && { dataDirectory }),
      ...(requestLimit !== undefined && { requestLimit }),
    },
  )
  onTestFinished(async () => {
    await instanode.close()
    await instance.close()
  })
  return {
    instance,
    instanode,
    url,
    databases: recording,
    client: (token, address) => connectOverHttp(`${url}/mcp`, token, address),
  }
}

/** An SDK client over HTTP, with a bearer and behind a proxy at `address`, if given. */
export async function connectOverHttp(mcpUrl: string, token?: string, address?: string): Promise<Client> {
  const client = new Client({ name: 'test', version: '1' })
  const headers = {
    ...(token !== undefined && { Authorization: `Bearer ${token}` }),
    ...(address !== undefined && { 'X-Forwarded-For': address }),
  }
  // The SDK's own declarations disagree with exactOptionalPropertyTypes about an optional session id.
  const transport: unknown = new StreamableHTTPClientTransport(new URL(mcpUrl), { requestInit: { headers } })
  await client.connect(transport as Parameters<Client['connect']>[0])
  onTestFinished(() => client.close())
  return client
}

const provisioned = z.object({
  id: z.uuid(),
  token: z.uuid(),
  name: z.string().nullable(),
  tier: z.string(),
  expires_at: z.string().nullable(),
  note: z.string(),
})
const postgres = provisioned.extend({
  connection_url: z.string(),
  limits: z.object({ storage_mb: z.number(), connections: z.number(), expires_in: z.string().nullable() }),
})
const webhook = provisioned.extend({
  receive_url: z.string(),
  limits: z.object({ requests_stored: z.number(), expires_in: z.string().nullable() }),
})

export async function createPostgres(client: Client, name = 'db'): Promise<z.infer<typeof postgres>> {
  return postgres.parse(await ok(client, 'create_postgres', { name }))
}

export async function createWebhook(client: Client, name = 'hook'): Promise<z.infer<typeof webhook>> {
  return webhook.parse(await ok(client, 'create_webhook', { name }))
}

export async function listed(client: Client): Promise<z.infer<typeof ownedResource>[]> {
  return z.object({ resources: z.array(ownedResource) }).parse(await ok(client, 'list_resources')).resources
}

/** The tokens of what is listed, in its order. */
export async function listedTokens(client: Client): Promise<string[]> {
  return (await listed(client)).map(({ token }) => token)
}

/** The database of a resource. */
export function databaseOf(token: string): string {
  return `db_${token.replaceAll('-', '').slice(0, 12)}`
}
