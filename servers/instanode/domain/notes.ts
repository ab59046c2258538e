import { dashboardUrl, pricingUrl, startUrl } from './links.js'
import type { Resource } from './model.js'

const NOUNS = { postgres: 'database', webhook: 'webhook receiver' } as const

/** What the service says beside a fresh resource: how long it lasts, and what can be done about that. */
export function creationNote({ tier, owner, type, token }: Resource): string {
  const noun = NOUNS[type]
  if (tier === 'paid') return `Permanent ${noun} (Developer tier). Manage it at ${dashboardUrl()}`
  if (owner !== null && type === 'postgres') {
    return `This ${noun} lives for 24 hours. Upgrade to keep it: ${pricingUrl()}`
  }
  return `Works right now, for 24 hours. Keep it forever, with a free 14-day trial: ${startUrl(token)}`
}

/** What it says when it hands out an existing one because the day's cap is used up. */
export function existingNote({ type, token }: Resource): string {
  const link = type === 'postgres' ? startUrl(token) : startUrl()
  return `Returning your existing ${NOUNS[type]}: the day's cap is used up. More with an account: ${link}`
}
