import { z } from 'zod'
import { CONTRACT_NAMES } from '../../shared/contract.js'
import { callUnderWay, mcpEndpoint } from '../../shared/mcp/server-view.js'
import { account } from '../../shared/schemas/account.js'
import { instant } from '../../shared/schemas/instant.js'

const delivery = z
  .strictObject({
    id: z.string(),
    method: z.string(),
    path: z.string(),
    query: z.string(),
    headers: z.record(z.string(), z.string()).describe('secret values are masked'),
    body: z.string().describe('the beginning of it'),
    bodyBytes: z.int().describe('of all of it'),
    receivedAt: instant,
  })
  .meta({ id: 'Delivery' })

const database = z
  .strictObject({
    name: z.string(),
    sizeBytes: z.int(),
    usedBytes: z.int().describe('bytes that count against the limit'),
    connections: z.int(),
    state: z.enum(['awake', 'asleep']),
  })
  .meta({ id: 'Database' })

const resource = z
  .strictObject({
    id: z.string(),
    token: z.string().describe('masked, unless secrets were asked for: its holder may claim the resource'),
    type: z.enum(['postgres', 'webhook']),
    name: z.string(),
    tier: z.enum(['anonymous', 'paid']),
    status: z.enum(['active', 'expired', 'deleted', 'reaped', 'quota_exceeded']),
    owner: z.string().nullable().describe('account id; null: not claimed'),
    subnet: z.string().describe('the network that created it'),
    url: z.string().describe('its password or token is masked, unless secrets were asked for'),
    createdAt: instant,
    expiresAt: instant.nullable().describe('null: never'),
    expiresInMs: z.int().nullable(),
    limits: z.strictObject({
      storageMb: z.int().exactOptional(),
      connections: z.int().exactOptional(),
      requestsStored: z.int().exactOptional(),
    }),
    database: database.nullable().describe('null: it is none, or nothing can be learnt of it now'),
    deliveries: z
      .strictObject({ kept: z.int(), latest: z.array(delivery).describe('the newest first') })
      .nullable()
      .describe('null: it is no receiver'),
  })
  .meta({ id: 'Resource' })

/** The state of Instanode. */
export const instanodeView = z
  .strictObject({
    contract: z.enum(CONTRACT_NAMES),
    mcpUrl: mcpEndpoint,
    databases: z.strictObject({
      kind: z.enum(['embedded', 'server']),
      notes: z.array(z.string()).describe('notes for the operator'),
    }),
    accounts: z.array(account),
    resources: z
      .array(resource)
      .describe('usable resources and those that are not removed yet, the oldest first'),
    calls: z.array(callUnderWay),
  })
  .meta({ id: 'InstanodeView' })

export type InstanodeView = z.infer<typeof instanodeView>
