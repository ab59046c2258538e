import { createHash } from 'node:crypto'
import { resolve } from 'node:path'
import type { Clock } from '../../shared/clock/clock.js'
import { Refusal } from '../../shared/errors.js'
import type { PolicySummary } from '../../shared/schemas/gateway.js'
import type { GatewayOptions, PolicySource } from './options.js'
import type { PolicyEngine } from './policy/model.js'

/** Sessions remembered: clients are free to leave without a word. */
const MAX_SESSIONS = 100_000

/** Somebody who may call: a name for quotas and the audit, and the policy its calls are held to. */
export interface Grant {
  readonly label: string
  readonly engine: PolicyEngine
  /** The file that the engine is made from; null: none. */
  readonly policy: PolicySummary | null
}

/** The grant of every caller where none are configured. */
export const DEFAULT_LABEL = 'default'

/** What a grant without a policy comes to: every call denied, nothing hidden. */
export const NO_POLICY: PolicyEngine = {
  decide: () => ({ outcome: 'deny', rule: '(no policy)', message: 'no policy is attached to this grant' }),
  hides: () => false,
  snapshot: () => null,
  restore: () => undefined,
}

/** A grant and the bearer that stands for it. */
export interface TokenGrant extends Grant {
  readonly token: string
}

/** Who may call. */
export class Grants {
  readonly #everybody: Grant | undefined
  /** By digest, so that how long a look-up takes says nothing of a token. */
  readonly #byDigest = new Map<string, TokenGrant>()

  /**
   * @param grants those who may call, or the one that everybody is
   * @throws Refusal `bad_grants` for a label or a token that two have
   */
  constructor(grants: readonly TokenGrant[] | Grant) {
    if (!('length' in grants)) {
      this.#everybody = grants
      return
    }
    for (const grant of grants) {
      const known = [...this.#byDigest.values()]
      if (known.some(({ label }) => label === grant.label)) {
        throw new Refusal(
          'bad_grants',
          `two grants are labelled ${JSON.stringify(grant.label)}`,
          'give each its own',
        )
      }
      const same = this.#byDigest.get(digest(grant.token))
      if (same !== undefined) {
        throw new Refusal(
          'bad_grants',
          `the grants ${same.label} and ${grant.label} have the same token`,
          'give each its own',
        )
      }
      this.#byDigest.set(digest(grant.token), grant)
    }
  }

  /** All of them; the one that everybody is, where callers need not show who they are. */
  get all(): readonly Grant[] {
    return this.#everybody === undefined ? [...this.#byDigest.values()] : [this.#everybody]
  }

  /** Whether callers have to show who they are. */
  get asked(): boolean {
    return this.#everybody === undefined
  }

  /** The grant whose bearer this `Authorization` header has; undefined for an unknown one. */
  bearing(authorization: string | undefined): Grant | undefined {
    if (this.#everybody !== undefined) return this.#everybody
    const [, token] = /^Bearer +(\S+) *$/i.exec(authorization ?? '') ?? []
    return token === undefined ? undefined : this.#byDigest.get(digest(token))
  }

  /**
   * The grant of a caller on a pipe, which has no headers: whoever starts the gateway says which it is.
   *
   * @throws Refusal `bad_grant` if there is none of that label, or one is needed and none is named
   */
  labelled(label: string | undefined): Grant {
    if (this.#everybody !== undefined) return this.#everybody
    const known = [...this.#byDigest.values()]
    const found = known.find(grant => grant.label === label)
    if (found !== undefined) return found
    const is =
      label === undefined
        ? 'no grant is named for the caller on stdio'
        : `there is no grant ${JSON.stringify(label)}`
    throw new Refusal(
      'bad_grant',
      is,
      `name one of ${known.map(grant => grant.label).join(', ')} with --grant`,
    )
  }
}

function digest(token: string): string {
  return createHash('sha256').update(token).digest('base64')
}

/** Which grant opened which session: no other may speak in it. */
export class SessionOwners {
  readonly #owners = new Map<string, string>()

  opened(session: string, label: string): void {
    this.#owners.set(session, label)
    if (this.#owners.size <= MAX_SESSIONS) return
    const [oldest] = this.#owners.keys()
    if (oldest !== undefined) this.#owners.delete(oldest)
  }

  owns(session: string, label: string): boolean {
    return this.#owners.get(session) === label
  }

  ended(session: string): void {
    this.#owners.delete(session)
  }
}

/** What a policy comes to. */
type Enforced = Pick<Grant, 'engine' | 'policy'>

const UNENFORCED: Enforced = { engine: NO_POLICY, policy: null }

/**
 * The grants of a gateway, each with its engine. Grants that name the same file share one: limits that do
 * not go by grant are counted for all of them together.
 *
 * @throws Refusal for a policy that cannot be read, or grants that cannot be told apart
 */
export async function openGrants(
  { policy, grants }: Pick<GatewayOptions, 'policy' | 'grants'>,
  clock: Clock,
): Promise<Grants> {
  const enforced = new Map<string, Promise<Enforced>>()
  const enforcedOf = async (source: PolicySource): Promise<Enforced> => {
    if (typeof source !== 'string') return { engine: source, policy: null }
    const path = resolve(source)
    const read = enforced.get(path) ?? readEngine(source, clock)
    enforced.set(path, read)
    return read
  }
  // Read even if every grant has another: a file that is named has to be right.
  const common = policy === undefined ? UNENFORCED : await enforcedOf(policy)
  if (grants === undefined) {
    if (policy !== undefined) return new Grants({ label: DEFAULT_LABEL, ...common })
    throw new Refusal('no_policy', 'the gateway has no policy', 'name one, or grants that have their own')
  }
  return new Grants(
    await Promise.all(
      grants.map(async ({ label, token, policy: own }) => ({
        label,
        token,
        ...(own === undefined ? UNENFORCED : await enforcedOf(own)),
      })),
    ),
  )
}

async function readEngine(path: string, clock: Clock): Promise<Enforced> {
  const { createEngine, readPolicyFile } = await import('./policy/index.js')
  const { policy, dialect } = await readPolicyFile(path)
  return { engine: createEngine(policy, clock), policy: { name: path, dialect } }
}
