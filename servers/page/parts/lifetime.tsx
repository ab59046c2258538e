import { Countdown } from './countdown.js'
import type { Resource } from './resources.js'

/** How long a resource has. */
export function Lifetime({ resource: { createdAt, expiresAt } }: { resource: Resource }) {
  if (expiresAt === null) return <span class="dim">stays</span>
  return <Countdown from={createdAt} to={expiresAt} what="left" />
}
