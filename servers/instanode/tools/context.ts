import { z } from 'zod'
import { Refusal } from '../../../shared/errors.js'
import type { Contract } from '../contract.js'
import { pricingUrl, startUrl } from '../domain/model.js'
import { ServiceRefusal } from '../domain/refusals.js'
import { DAILY_CAP } from '../limits.js'
import type { Caller, InstanodeService } from '../service.js'

export const resourceName = z
  .string({ error: 'a name of 1 to 64 characters' })
  .min(1, { error: 'a name of 1 to 64 characters' })
  .max(64, { error: 'a name of 1 to 64 characters' })
  .describe('The name: 1 to 64 characters, at most 64 bytes of UTF-8, no control characters')

export const resourceToken = z
  .string({ error: 'the token of a resource, as create_postgres or create_webhook returned it' })
  .min(1, { error: 'the token of a resource, as create_postgres or create_webhook returned it' })
  .describe('Token of the resource: a UUID, as create_postgres or create_webhook returned it')

const token = z.string().describe('A secret: its holder may claim the resource')

const resourceTier = z.enum(['anonymous', 'paid'])

const timestamp = z.string().describe('RFC 3339, UTC')

/** The output of both creating tools. */
export const provisionedOutput = {
  id: z.string(),
  token,
  name: z.string().nullable().describe('null: an existing resource was returned instead of a new one'),
  tier: resourceTier,
  expires_at: timestamp.nullable().describe('null: never, or not told'),
  note: z.string(),
}

export const expiresIn = z.string().nullable().describe('How long such a resource lasts; null: for good')

/** The parts of the service that the tools use. */
export interface ToolDeps {
  service: InstanodeService
  contract: Contract
}

/** The remedy if the client has no token, or a token that the service refuses. */
export const NEEDS_TOKEN =
  'set INSTANODE_TOKEN (over HTTP: Authorization: Bearer TOKEN) to a token of an account, as get_api_token returns it'

/**
 * Rejects a call that needs an account and has no token, without a request to the service.
 *
 * @throws Refusal `no_token`
 */
export function requireToken({ bearer }: Caller): void {
  if (bearer === undefined) throw new Refusal('no_token', 'this tool needs an account', NEEDS_TOKEN)
}

/** Returns the text of a failed tool call. The client explains four kinds itself, and quotes the others. */
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
    return `${tool} failed: only paid accounts can delete resources. Upgrade at ${upgradeUrl}, or let it expire.`
  }
  if (status === 429) {
    return (
      `${tool} failed: the cap of ${DAILY_CAP} anonymous provisions per day and subnet is reached. ` +
      `It is lifted at UTC midnight, or with an account: ${startUrl()}`
    )
  }
  return `instanode.dev error (${status} ${code}): ${message}`
}
