import { z } from 'zod'
import { ownedResource } from '../owned.js'

// Answers may have unknown fields, so that the client works with a service that has added fields.
const ok = z.literal(true)
const token = z.uuid().describe('A secret: anyone who has it can claim the resource')
const instant = z.iso.datetime().describe('RFC 3339, UTC')
const expiresIn = z
  .string()
  .optional()
  .describe('The lifetime of the resource, such as 24h. Absent if the resource is permanent')

export const tokenParams = z.object({ token: z.string().describe('The token of a resource, a UUID') })

export const tier = z.enum(['anonymous', 'paid']).meta({ id: 'Tier' })

export const resourceType = z.enum(['postgres', 'webhook'])

export const provisionRequest = z
  .object({
    name: z.string().min(1).max(64).describe('1 to 64 bytes of UTF-8 once trimmed, no control characters'),
  })
  .meta({ id: 'ProvisionRequest' })

export const tokenRequest = z.object({ token: z.string() }).meta({ id: 'ClaimRequest' })

const provisioned = {
  id: z.uuid(),
  name: z.string().optional().describe('Absent if an existing resource is returned instead of a new one'),
  note: z.string(),
  ok,
  tier,
  token,
  expires_at: instant.optional(),
}

export const provisionedDatabase = z
  .object({
    connection_url: z.string().describe('A postgres:// URL with the password: keep it secret'),
    limits: z
      .object({ connections: z.int(), expires_in: expiresIn, storage_mb: z.int() })
      .meta({ id: 'PostgresLimits' }),
    ...provisioned,
  })
  .meta({ id: 'ProvisionResponse' })

export const provisionedReceiver = z
  .object({
    limits: z.object({ expires_in: expiresIn, requests_stored: z.int() }).meta({ id: 'WebhookLimits' }),
    receive_url: z.url(),
    ...provisioned,
  })
  .meta({ id: 'WebhookProvisionResponse' })

export const listedResource = z.object(ownedResource.shape).meta({ id: 'Resource' })

export const resourceList = z.array(listedResource)

export const claimed = z
  .object({
    id: z.uuid(),
    name: z.string(),
    ok,
    resource_type: resourceType,
    status: z.literal('active'),
    tier,
    token,
  })
  .meta({ id: 'ClaimResponse' })

export const previewed = z
  .object({
    already_claimed: z.boolean(),
    created_at: instant,
    expires_at: instant.optional(),
    expires_in_seconds: z.int().optional(),
    name: z.string(),
    ok,
    resource_type: resourceType,
    status: z.literal('active'),
    tier,
  })
  .meta({ id: 'ClaimPreviewResponse' })

export const removed = z
  .object({ id: z.uuid(), message: z.string(), ok, status: z.literal('deleted'), token })
  .meta({ id: 'DeleteResponse' })

export const minted = z
  .object({ expires_in: z.int().describe('Seconds'), ok, token: z.jwt() })
  .meta({ id: 'TokenResponse' })

export const accountPlan = z
  .object({
    available_upgrades: z.array(z.enum(['monthly', 'annual'])),
    current_period_end: instant.nullable(),
    human_label: z.string(),
    ok,
    plan_paid_at: instant.nullable(),
    plan_period: z.enum(['monthly', 'annual']).nullable(),
    plan_tier: z.enum(['free', 'paid']),
    subscription_status: z.string(),
  })
  .meta({ id: 'PlanResponse' })

export const taken = z.object({ id: z.uuid(), ok }).meta({ id: 'DeliveryResponse' })

const delivery = z
  .object({
    body: z.string(),
    encoding: z
      .enum(['utf8', 'base64'])
      .describe('The encoding of body. A body that is not UTF-8 is in base64'),
    headers: z.record(z.string(), z.string()),
    id: z.uuid(),
    method: z.string(),
    path: z.string(),
    query: z.string(),
    received_at: instant,
  })
  .meta({ id: 'Delivery' })

export const deliveryLog = z
  .object({ ok, requests: z.array(delivery), total: z.int() })
  .meta({ id: 'DeliveryLog' })

const check = z.enum(['ok', 'ping_failed'])

export const health = z.object({ ok, service: z.literal('instant-lite') }).meta({ id: 'Health' })

export const readiness = z
  .object({
    checks: z.object({ customer_db: check, platform_db: check, redis: check }),
    error: z.string().optional(),
    ok: z.boolean(),
  })
  .meta({ id: 'Readiness' })

/** The fields of every error. The errors of receivers have no message, except the error for a large body. */
export const errorBody = z
  .object({
    error: z.string(),
    message: z.string().optional(),
    ok: z.literal(false),
    upgrade_url: z.url().optional(),
  })
  .meta({ id: 'Error' })

export const rateLimitedError = z
  .object({ error: z.enum(['rate_limited', 'too_many_requests']), message: z.string(), ok: z.literal(false) })
  .meta({ id: 'RateLimitedError' })
