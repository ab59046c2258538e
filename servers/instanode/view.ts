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
    headers: z.record(z.string(), z.string()).describe('by lower-case name, credentials are masked'),
    body: z.string().describe('the beginning of the body'),
    bodyBytes: z.int().describe('size of the whole body, in bytes'),
    receivedAt: instant,
  })
  .meta({ id: 'Delivery' })

const database = z
  .strictObject({
    name: z.string(),
    sizeBytes: z.int(),
    usedBytes: z.int().describe('bytes that count against storageMb'),
    connections: z.int(),
    state: z.enum(['awake', 'asleep']),
  })
  .meta({ id: 'Database' })

const resource = z
  .strictObject({
    id: z.string(),
    token: z
      .string()
      .describe('masked unless secrets are requested, because anyone who has it can claim the resource'),
    type: z.enum(['postgres', 'webhook']),
    name: z.string(),
    tier: z.enum(['anonymous', 'paid']),
    status: z.enum(['active', 'expired', 'deleted', 'reaped', 'quota_exceeded']),
    owner: z.string().nullable().describe('account id, null while no account owns it'),
    subnet: z.string().describe('the network of the caller that created it'),
    url: z.string().describe('its password or token is masked unless secrets are requested'),
    createdAt: instant,
    expiresAt: instant.nullable().describe('null if it never expires'),
    expiresInMs: z.int().nullable(),
    limits: z.strictObject({
      storageMb: z.int().exactOptional(),
      connections: z.int().exactOptional(),
      requestsStored: z.int().exactOptional(),
    }),
    database: database.nullable().describe('null for a receiver, and for a database that does not answer'),
    deliveries: z
      .strictObject({
        kept: z.int(),
        latest: z.array(delivery).describe('the newest deliveries, the newest first'),
      })
      .nullable()
      .describe('null for a database'),
  })
  .meta({ id: 'Resource' })

/** The state of Instanode, as the control plane shows it. */
export const instanodeView = z
  .strictObject({
    contract: z.enum(CONTRACT_NAMES),
    mcpUrl: mcpEndpoint,
    databases: z.strictObject({
      kind: z.enum(['embedded', 'server']),
      notes: z.array(z.string()).describe('notes for the operator'),
    }),
    accounts: z.array(account),
    resources: z.array(resource).describe('the oldest first; without resources that the reaper has removed'),
    calls: z.array(callUnderWay),
  })
  .meta({ id: 'InstanodeView' })

export type InstanodeView = z.infer<typeof instanodeView>
