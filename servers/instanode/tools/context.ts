import { z } from 'zod'
import { Refusal } from '../../../shared/errors.js'
import type { Contract } from '../contract.js'
import { pricingUrl, startUrl } from '../domain/model.js'
import { ServiceRefusal } from '../domain/refusals.js'
import { DAILY_CAP } from '../limits.js'
import type { Caller, InstanodeService } from '../service.js'

export const resourceName = z
  .string({ error: 'use a name of 1 to 64 characters' })
  .min(1, { error: 'use a name of 1 to 64 characters' })
  .max(64, { error: 'use a name of 1 to 64 characters' })
  .describe('The name: 1 to 64 characters, at most 64 bytes of UTF-8, no control characters')

export const resourceToken = z
  .string({
    error: 'use the token of a resource, as create_postgres or create_webhook returned it',
  })
  .min(1, {
    error: 'use the token of a resource, as create_postgres or create_webhook returned it',
  })
  .describe('Token of the resource: a UUID, as create_postgres or create_webhook returned it')

const token = z.string().describe('A secret: anyone who has it can claim the resource')

const resourceTier = z.enum(['anonymous', 'paid'])

const timestamp = z.string().describe('RFC 3339, UTC')

/** The output fields that create_postgres and create_webhook share. */
export const provisionedOutput = {
  id: z.string(),
  token,
  name: z.string().nullable().describe('null if an existing resource is returned instead of a new one'),
  tier: resourceTier,
  expires_at: timestamp
    .nullable()
    .describe('null if it never expires, or if the service did not give the expiry'),
  note: z.string(),
}

export const expiresIn = z
  .string()
  .nullable()
  .describe('The whole lifetime of the resource, such as 24h. null if it is permanent')

/** The service that the tools call, and the contract that they follow. */
export interface ToolDeps {
  service: InstanodeService
  contract: Contract
}

/** The remedy for a client without an account token, or with an invalid one. */
export const NEEDS_TOKEN =
  'set INSTANODE_TOKEN (over HTTP: Authorization: Bearer TOKEN) to an account token, ' +
  'as get_api_token returns it'

/**
 * Rejects a call that needs an account and has no account token. No request is sent to the service.
 *
 * @throws Refusal `no_token`
 */
export function requireToken({ bearer }: Caller): void {
  if (bearer === undefined) throw new Refusal('no_token', 'this tool needs an account', NEEDS_TOKEN)
}

/**
 * Returns the text of a failed tool call. As in the real client, three refusals of the service have their own
 * text: 401, `paid_tier_only` and 429. All others are quoted.
 *
 * @param tool the name of the tool
 */
export function refusalText(tool: string, refusal: Refusal): string {
  if (!(refusal instanceof ServiceRefusal)) return `${tool} failed: ${refusal.sentence}`
  const { status, code, message, upgradeUrl = pricingUrl() } = refusal
  if (status === 401) {
    return (
      `${tool} failed: the token is not valid. This world has no such account, or the token has expired: ` +
      NEEDS_TOKEN
    )
  }
  if (code === 'paid_tier_only') {
    return (
      `${tool} failed: only paid accounts can delete resources. Upgrade at ${upgradeUrl}, ` +
      'or wait until the resource expires.'
    )
  }
  if (status === 429) {
    return (
      `${tool} failed: the cap of ${DAILY_CAP} anonymous provisions per day and subnet is reached. ` +
      `Wait until UTC midnight, or create an account: ${startUrl()}`
    )
  }
  return `instanode.dev error (${status} ${code}): ${message}`
}
