import { createHash } from 'node:crypto'
import type { IncomingHttpHeaders } from 'node:http'
import { dirname, resolve } from 'node:path'
import { z } from 'zod'
import type { Clock } from '../../shared/clock/clock.js'
import { Refusal } from '../../shared/errors.js'
import { HttpRejection, sessionNotFound } from '../../shared/mcp/http/rejection.js'
import { RpcCode } from '../../shared/mcp/messages.js'
import type { PolicySummary } from '../../shared/schemas/gateway.js'
import { checked, strict } from '../../shared/util/check.js'
import { defined } from '../../shared/util/defined.js'
import { readTextFile } from '../../shared/util/read-file.js'
import type { GatewayOptions, GrantOptions, PolicySource } from './options.js'
import type { PolicyEngine } from './policy/model.js'

/** Sessions remembered: clients are free to leave without a word. */
const MAX_SESSIONS = 100_000

const CHALLENGE = 'Bearer realm="mcp-understudy gateway"'

/** Somebody who may call: a name for quotas and the audit, and the policy its calls are held to. */
export interface Grant {
  readonly label: string
  readonly engine: PolicyEngine
  /** The file that the engine is made from; null: none. */
  readonly policy: PolicySummary | null
}

/** The grant of every caller where none are configured. */
const DEFAULT_LABEL = 'default'

/** What a grant without a policy comes to: every call denied, nothing hidden. */
const NO_POLICY: PolicyEngine = {
  decide: () => ({ outcome: 'deny', rule: '(no policy)', message: 'no policy is attached to this grant' }),
  hides: () => false,
  snapshot: () => null,
  restore: () => undefined,
}

/** A grant and the bearer that stands for it. */
interface TokenGrant extends Grant {
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

/**
 * The grant that a request over HTTP comes under.
 *
 * @throws HttpRejection 401 without a known bearer
 */
export function checkBearer(headers: IncomingHttpHeaders, grants: Grants): Grant {
  const grant = grants.bearing(headers.authorization)
  if (grant === undefined) {
    const missing = headers.authorization === undefined
    const message = missing
      ? 'this gateway wants a grant: send its token as Authorization: Bearer TOKEN'
      : 'no grant has this bearer: check the token, or have it added to the grants'
    throw new HttpRejection(401, RpcCode.transport, message, {
      'WWW-Authenticate': missing ? CHALLENGE : `${CHALLENGE}, error="invalid_token"`,
    })
  }
  return grant
}

/**
 * Checks that the session of a legacy request belongs to its grant. A modern request has no session.
 *
 * @throws HttpRejection 404 for a session that another grant has opened
 */
export function checkSession(
  headers: IncomingHttpHeaders,
  grant: Grant,
  grants: Grants,
  owners: SessionOwners,
): void {
  const session = headers['mcp-session-id']
  if (grants.asked && session !== undefined && !owners.owns(String(session), grant.label)) {
    throw sessionNotFound(String(session))
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

/** A bearer as RFC 6750 has it. */
const TOKEN = /^[A-Za-z0-9._~+/-]{8,}=*$/

const grantsFile = strict({
  grants: z
    .array(
      strict({
        label: z.string().min(1).max(100),
        // Read apart: what is wrong with a token must not show it.
        token: z.unknown(),
        policy: z.string().min(1).exactOptional(),
      }),
    )
    .min(1),
})

/**
 * The grants of a file: `{"grants": [{"label", "token", "policy"?}]}`. The path of a policy goes from where the file is.
 *
 * @throws Refusal `bad_grants` that shows no token
 */
export async function readGrantsFile(path: string): Promise<GrantOptions[]> {
  const { grants } = checked(
    grantsFile,
    parsed(readTextFile(path, 'grants', 'bad_grants'), path),
    'bad_grants',
    'grants file',
  )
  return grants.map(({ label, token, policy }) => {
    if (typeof token !== 'string' || !TOKEN.test(token)) {
      const hint = 'a token is a text of 8 or more letters, digits and ._~+/-, as a bearer may have'
      throw new Refusal(
        'bad_grants',
        `the token of the grant ${JSON.stringify(label)} is missing, or no bearer`,
        hint,
      )
    }
    return { label, token, ...defined({ policy: policy && resolve(dirname(path), policy) }) }
  })
}

function parsed(text: string, path: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    // The parser's own words would quote the text, tokens and all.
    const hint = 'write {"grants": [{"label": "…", "token": "…", "policy": "FILE"}]}'
    throw new Refusal('bad_grants', `the grants ${JSON.stringify(path)} are not JSON`, hint)
  }
}
