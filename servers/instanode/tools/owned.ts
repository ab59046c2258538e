import type { z } from 'zod'
import type { Contract } from '../contract.js'
import type { Resource } from '../domain/resource.js'
import { timestamp } from '../timestamp.js'
import type { ownedResource } from './schemas.js'

/** A resource, as the account that owns it sees it. */
export function describeOwned(resource: Resource, contract: Contract): z.infer<typeof ownedResource> {
  const { id, token, type, name, tier, status, createdAt, expiresAt } = resource
  return {
    ...{ id, token, type },
    ...(contract.namesResourceType && { resource_type: type }),
    ...{ name, tier, status },
    created_at: timestamp(createdAt),
    expires_at: timestamp(expiresAt),
  }
}
