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
import type { GatewayOptions, GrantOptions, PolicySource, UpstreamAccounts } from './options.js'
import type { DialectVersion } from './policy/dialect-version.js'
import type { PolicyEngine } from './policy/model.js'

/**
 * Maximum number of stored sessions. There is a maximum because clients may leave without ending their
 * session.
 */
const MAX_SESSIONS = 100_000

const CHALLENGE = 'Bearer realm="mcp-understudy gateway"'

/** A caller: its name in quotas and in the audit, and the policy for its calls. */
export interface Grant {
  readonly label: string
  readonly engine: PolicyEngine
  /** The file of the engine's policy. Null if the policy does not come from a file. */
  readonly policy: PolicySummary | null
  /**
   * The gateway's own credential for the caller's account at the upstream. Undefined for a caller without an
   * account.
   */
  readonly credential?: string
}

/** The label of the only grant of a gateway without configured grants. */
const DEFAULT_LABEL = 'default'

/** The engine of a grant without a policy, which denies every call and hides no tool. */
const NO_POLICY: PolicyEngine = {
  decide: () => ({ outcome: 'deny', rule: '(no policy)', message: 'no policy is attached to this grant' }),
  hides: () => false,
  snapshot: () => null,
  restore: () => undefined,
}

/** A grant and the bearer token that identifies its caller. */
interface TokenGrant extends Grant {
  readonly token: string
}

/** The grants of a gateway. */
export class Grants {
  readonly #everybody: Grant | undefined
  /**
   * The grants by the digest of their token. A look-up by digest takes the same time for every token, and so
   * reveals nothing.
   */
  readonly #byDigest = new Map<string, TokenGrant>()
  readonly #accounts: UpstreamAccounts | undefined

  /**
   * @param grants the configured grants, or one grant for all callers
   * @param accounts the accounts of the upstream. Default: none
   * @throws Refusal `bad_grants` if two grants have the same label or token
   */
  constructor(grants: readonly TokenGrant[] | Grant, accounts?: UpstreamAccounts) {
    this.#accounts = accounts
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

  /** All configured grants, or the one grant of all callers. */
  get all(): readonly Grant[] {
    return this.#everybody === undefined ? [...this.#byDigest.values()] : [this.#everybody]
  }

  /** Whether grants are configured, so that callers must send a bearer token. */
  get asked(): boolean {
    return this.#everybody === undefined
  }

  /** Whether there can be different callers. A session then belongs to one caller. */
  get differ(): boolean {
    return this.asked || this.#accounts !== undefined
  }

  /** Returns the grant for an `Authorization` header. Returns undefined for an unknown token. */
  bearing(authorization: string | undefined): Grant | undefined {
    if (this.#everybody !== undefined) return this.#everybody
    const token = bearerIn(authorization)
    return token === undefined ? undefined : this.#byDigest.get(digest(token))
  }

  /**
   * Returns the grant for an `Authorization` header, and also looks for the token among the upstream's
   * accounts.
   */
  async calling(authorization: string | undefined): Promise<Grant | undefined> {
    const grant = this.bearing(authorization)
    const token = bearerIn(authorization)
    if (grant === undefined || token === undefined || this.#accounts === undefined) return grant
    const account = await this.#accounts.find(token)
    if (account === undefined) return this.asked ? grant : undefined
    const { id, credential } = account
    return { ...grant, label: this.asked ? grant.label : id, credential }
  }

  /**
   * Returns the grant of a client on a pipe. A pipe has no headers, so an option of the gateway names the
   * grant.
   *
   * @throws Refusal `bad_grant` if no grant has the label, or if a label is needed and none is given
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

function bearerIn(authorization: string | undefined): string | undefined {
  return /^Bearer +(\S+) *$/i.exec(authorization ?? '')?.[1]
}

function digest(token: string): string {
  return createHash('sha256').update(token).digest('base64')
}

/** Stores which grant opened each session. No other grant may use the session. */
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
 * Returns the configured grant of an HTTP request.
 *
 * @throws HttpRejection 401 without a known bearer token
 */
export function checkBearer(headers: IncomingHttpHeaders, grants: Grants): Grant {
  return known(grants.bearing(headers.authorization), headers, grants)
}

/**
 * Returns the grant of an HTTP request, and also looks for the token among the upstream's accounts.
 *
 * @throws HttpRejection 401
 */
export async function checkCaller(headers: IncomingHttpHeaders, grants: Grants): Promise<Grant> {
  return known(await grants.calling(headers.authorization), headers, grants)
}

function known(grant: Grant | undefined, headers: IncomingHttpHeaders, grants: Grants): Grant {
  if (grant === undefined) throw unknownCaller(headers, grants)
  return grant
}

/**
 * Checks that the session of a legacy request belongs to its grant. A modern request has no session.
 *
 * @throws HttpRejection 404 for a session that the grant has not opened
 */
export function checkSession(
  headers: IncomingHttpHeaders,
  grant: Grant,
  grants: Grants,
  owners: SessionOwners,
): void {
  const session = headers['mcp-session-id']
  if (grants.differ && session !== undefined && !owners.owns(String(session), grant.label)) {
    throw sessionNotFound(String(session))
  }
}

function unknownCaller({ authorization }: IncomingHttpHeaders, { asked }: Grants): HttpRejection {
  const missing = authorization === undefined
  const message = missing
    ? 'this gateway wants a grant: send its token as Authorization: Bearer TOKEN'
    : asked
      ? 'no grant has this bearer: check the token, or have it added to the grants'
      : 'no account has this bearer: send the token of an account, or none to call without an account'
  return new HttpRejection(401, RpcCode.transport, message, {
    'WWW-Authenticate': missing ? CHALLENGE : `${CHALLENGE}, error="invalid_token"`,
  })
}

/** The policy of a grant and its engine. */
type Enforced = Pick<Grant, 'engine' | 'policy'>

const UNENFORCED: Enforced = { engine: NO_POLICY, policy: null }

/**
 * Creates the grants of a gateway, each with its engine. Grants that name the same file share one engine. A
 * limit that does not count by grant then counts all of these grants together.
 *
 * @throws Refusal for a policy that cannot be read, for two grants with the same label or token, and for a
 *   gateway without a policy
 */
export async function openGrants(
  { policy, grants, dialect, accounts }: Pick<GatewayOptions, 'policy' | 'grants' | 'dialect' | 'accounts'>,
  clock: Clock,
): Promise<Grants> {
  const enforced = new Map<string, Promise<Enforced>>()
  const enforcedOf = async (source: PolicySource): Promise<Enforced> => {
    if (typeof source !== 'string') return { engine: source, policy: null }
    const path = resolve(source)
    const read = enforced.get(path) ?? readEngine(source, clock, dialect)
    enforced.set(path, read)
    return read
  }
  // The common policy is read even if every grant has its own, so that errors in the named file are found.
  const common = policy === undefined ? UNENFORCED : await enforcedOf(policy)
  if (grants === undefined) {
    if (policy !== undefined) return new Grants({ label: DEFAULT_LABEL, ...common }, accounts)
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
    accounts,
  )
}

async function readEngine(
  path: string,
  clock: Clock,
  version: DialectVersion | undefined,
): Promise<Enforced> {
  const { createEngine, readPolicyFile } = await import('./policy/index.js')
  const { policy, dialect } = await readPolicyFile(path, version)
  return { engine: createEngine(policy, clock), policy: { name: path, dialect } }
}

/** A bearer token as in RFC 6750. */
const TOKEN = /^[A-Za-z0-9._~+/-]{8,}=*$/

const grantsFile = strict({
  grants: z
    .array(
      strict({
        label: z.string().min(1).max(100),
        // The token is checked separately, because an error about a token must not show the token.
        token: z.unknown(),
        policy: z.string().min(1).exactOptional(),
      }),
    )
    .min(1),
})

/**
 * Reads the grants from a file: `{"grants": [{"label", "token", "policy"?}]}`. The path of a policy is
 * relative to this file.
 *
 * @throws Refusal `bad_grants`, which shows no token
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
    // The error of the JSON parser is not used, because it would quote the text with its tokens.
    const hint = 'write {"grants": [{"label": "…", "token": "…", "policy": "FILE"}]}'
    throw new Refusal('bad_grants', `the grants ${JSON.stringify(path)} are not JSON`, hint)
  }
}
