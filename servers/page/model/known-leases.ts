import type { KnownLease } from './leases.js'

export type KnownLeases = ReadonlyMap<string, KnownLease>

/** What is known of leases once these have been seen; the same map if all of it was. A reset can bring the id of a claim again, at another time. */
export function withLeases(known: KnownLeases, seen: readonly KnownLease[]): KnownLeases {
  const news = seen.filter(({ claimId, claimedAt }) => known.get(claimId)?.claimedAt !== claimedAt)
  return news.length === 0
    ? known
    : new Map([...known, ...news.map(lease => [lease.claimId, lease] as const)])
}
