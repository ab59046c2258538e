import { z } from 'zod'
import { timestamp } from '../../shared/util/go-json.js'
import { defined } from '../../shared/util/objects.js'
import type { Contract } from './contract.js'
import type { Owned } from './service.js'

const instant = z.string().describe('RFC 3339, UTC')

/** Schema of a resource in the list of its account, over MCP and over HTTP. */
export const ownedResource = z.strictObject({
  id: z.string(),
  token: z.string().describe('A secret: anyone who has it can claim the resource'),
  type: z.enum(['postgres', 'webhook']),
  resource_type: z.enum(['postgres', 'webhook']).optional(),
  name: z.string(),
  tier: z.enum(['anonymous', 'paid']),
  status: z.enum(['active', 'expired', 'deleted', 'reaped', 'quota_exceeded']),
  created_at: instant,
  expires_at: instant.nullable().describe('null if it never expires'),
})

/** Describes a resource for the list of its account. The fields have the order of the real service. */
export function describeOwned(resource: Owned, contract: Contract): z.infer<typeof ownedResource> {
  const { id, token, type, name, tier, status, createdAt, expiresAt } = resource
  return {
    id,
    token,
    type,
    ...defined({ resource_type: contract.namesResourceType ? type : undefined }),
    name,
    tier,
    status,
    created_at: timestamp(createdAt),
    expires_at: timestamp(expiresAt),
  }
}
