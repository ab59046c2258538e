import type { Refusal } from '../../../shared/errors.js'
import { pricingUrl, startUrl } from '../domain/links.js'
import { ServiceRefusal } from '../domain/refusals.js'
import { DAILY_CAP } from '../limits.js'
import { NEEDS_TOKEN } from './context.js'

/** A failed tool call in the client's words: four kinds it explains itself, the rest it quotes. */
export function refusalText(tool: string, refusal: Refusal): string {
  if (!(refusal instanceof ServiceRefusal)) return `${tool} failed: ${refusal.sentence}`
  const { status, code, message, upgradeUrl = pricingUrl() } = refusal
  if (status === 401) return `${tool} failed: the token is not valid, or no longer: ${NEEDS_TOKEN}`
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
