import { z } from 'zod'

export const resourceName = z
  .string({ error: 'a name of 1 to 64 characters' })
  .min(1, { error: 'a name of 1 to 64 characters' })
  .max(64, { error: 'a name of 1 to 64 characters' })
  .describe('What to call it: 1 to 64 characters, at most 64 bytes of UTF-8, no control characters')

export const resourceToken = z
  .string({ error: 'the token of a resource, as create_postgres or create_webhook returned it' })
  .min(1, { error: 'the token of a resource, as create_postgres or create_webhook returned it' })
  .describe('Token of the resource: a UUID, as create_postgres or create_webhook returned it')

const token = z.string().describe('Whoever has it may claim the resource: keep it secret')
const resourceTier = z.enum(['anonymous', 'paid'])
const timestamp = z.string().describe('RFC 3339, UTC')

/** What both creating tools return. */
export const provisionedOutput = {
  id: z.string(),
  token,
  name: z.string().nullable().describe('null: an existing resource was returned instead of a new one'),
  tier: resourceTier,
  expires_at: timestamp.nullable().describe('null: never, or not told'),
  note: z.string(),
}

export const expiresIn = z.string().nullable().describe('How long such a resource lasts; null: for good')
