import { DAY } from '../../../support/servers/instanode.js'

export const CALLERS = ['anonymous', 'free', 'paid', 'paid2'] as const
export type CallerName = (typeof CALLERS)[number]

/** The outcome of a claim or a deletion: done, or the status of the refusal. */
export type Outcome = 'done' | 'no_token' | 403 | 404 | 410

interface Modelled {
  owner: CallerName | undefined
  createdAt: number
  paid: boolean
  deleted: boolean
}

const isPaid = (caller: CallerName) => caller === 'paid' || caller === 'paid2'

/** The owner of each resource, in a minimal model. */
export class OwnershipModel {
  now = 0
  readonly resources: Modelled[] = []

  create(caller: CallerName): void {
    const owner = caller === 'anonymous' ? undefined : caller
    this.resources.push({ owner, createdAt: this.now, paid: isPaid(caller), deleted: false })
  }

  claim(caller: CallerName, nth: number): Outcome {
    const resource = this.resources[nth]
    if (caller === 'anonymous') return 'no_token'
    if (resource === undefined) return 404
    if (!this.live(resource)) return 410
    if (resource.owner !== undefined && resource.owner !== caller) return 404
    resource.owner = caller
    resource.paid ||= isPaid(caller)
    return 'done'
  }

  remove(caller: CallerName, nth: number): Outcome {
    const resource = this.resources[nth]
    if (caller === 'anonymous') return 'no_token'
    if (!isPaid(caller)) return 403
    if (resource === undefined || resource.owner !== caller || !this.live(resource)) return 404
    resource.deleted = true
    return 'done'
  }

  /** The places of what the caller is shown, the last created first. */
  listed(caller: CallerName): number[] {
    return this.resources
      .flatMap((resource, nth) => (resource.owner === caller && this.live(resource) ? [nth] : []))
      .reverse()
  }

  live({ createdAt, paid, deleted }: Modelled): boolean {
    return !deleted && (paid || this.now < createdAt + DAY)
  }
}
