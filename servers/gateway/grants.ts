import { createHash } from 'node:crypto'
import { Refusal } from '../../shared/errors.js'
import type { Grant } from './grant.js'

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
