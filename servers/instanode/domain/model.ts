export type ResourceType = 'postgres' | 'webhook'

/** There is no free tier of resources: a free account's are anonymous ones that it owns. */
export type Tier = 'anonymous' | 'paid'

/**
 * `expired` has outlived its time; `deleted` is so by its owner, and `reaped` once nothing is left of it; the owner of
 * what is `quota_exceeded` is locked out of it, for good.
 */
export type Status = 'active' | 'expired' | 'deleted' | 'reaped' | 'quota_exceeded'

/** A database or a receiver, as the service keeps it: the row stays when the thing itself is gone. */
export interface Resource {
  /** UUID */
  readonly id: string
  /** UUID, lower case. Who has it may claim the resource: it is the only key to it. */
  readonly token: string
  readonly type: ResourceType
  readonly name: string
  readonly tier: Tier
  readonly status: Status
  /** Account id; null while nobody has claimed it. */
  readonly owner: string | null
  /** Where it was made from: see `subnetOf`. */
  readonly subnet: string
  /** What its user connects or delivers to. */
  readonly url: string
  /** Milliseconds since the epoch, as are the other instants. */
  readonly createdAt: number
  /** What its user is told; null: never. */
  readonly expiresAt: number | null
  /** When the reaper takes it; null: there is nothing to take. */
  readonly reapAt: number | null
  /** When the reaper looks at its size; null: it does not. */
  readonly measureAt: number | null
}

/** When the reaper has something to do with it; null: never. */
export function nextVisit({ reapAt, measureAt }: Resource): number | null {
  if (reapAt === null || measureAt === null) return reapAt ?? measureAt
  return Math.min(reapAt, measureAt)
}

/** Whether it is of use at `now`: not deleted, and its time not up, whether or not the reaper has come round. */
export function isLive(resource: Resource, now: number): boolean {
  return resource.status === 'active' && (resource.reapAt === null || now < resource.reapAt)
}
