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
import { defined } from '../../shared/util/objects.js'
import { readTextFile } from '../../shared/util/read-file.js'
import type { GatewayOptions, GrantOptions, PolicySource, UpstreamAccounts } from './options.js'
import type { DialectVersion } from './policy/dialect-version.js'
import type { PolicyEngine } from './policy/model.js'

/**
 * Maximum number of stored sessions. Without a maximum, the sessions of clients that never end them would
 * fill the memory.
 */
const MAX_SESSIONS = 100_000

const CHALLENGE = 'Bearer realm="mcp-understudy gateway"'

/** The identity that the gateway gives to a caller. */
export interface Grant {
  /** The name of the caller in the audit, and in limits that count by grant. */
  readonly label: string
  readonly engine: PolicyEngine
  /** The file and the dialect of the policy. Null if the policy does not come from a file. */
  readonly policy: PolicySummary | null
  /**
   * The credential with which the gateway calls the upstream for the account of the caller. Undefined for a
   * caller without an account.
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

/** Finds the grant of a caller by its token, its account or a label. */
export class Grants {
  readonly #commonGrant: Grant | undefined
  /**
   * The grants by the digest of their token. The time of a look-up by digest does not depend on how many
   * characters of a token are right, so an attacker cannot learn a token from it.
   */
  readonly #byDigest = new Map<string, TokenGrant>()
  readonly #accounts: UpstreamAccounts | undefined

  /**
   * @param grants the configured grants, or one grant for all callers
   * @param accounts the accounts of the upstream, by which callers are identified. Default: none
   * @throws Refusal `bad_grants` if two grants have the same label or token
   */
  constructor(grants: readonly TokenGrant[] | Grant, accounts?: UpstreamAccounts) {
    this.#accounts = accounts
    if (!('length' in grants)) {
      this.#commonGrant = grants
      return
    }
    for (const grant of grants) {
      const known = [...this.#byDigest.values()]
      if (known.some(({ label }) => label === grant.label)) {
        throw new Refusal(
          'bad_grants',
          `two grants are labelled ${JSON.stringify(grant.label)}`,
          'give each grant its own label',
        )
      }
      const same = this.#byDigest.get(digest(grant.token))
      if (same !== undefined) {
        throw new Refusal(
          'bad_grants',
          `the grants ${same.label} and ${grant.label} have the same token`,
          'give each grant its own token',
        )
      }
      this.#byDigest.set(digest(grant.token), grant)
    }
  }

  /** All configured grants, or the one grant of all callers. */
  get all(): readonly Grant[] {
    return this.#commonGrant === undefined ? [...this.#byDigest.values()] : [this.#commonGrant]
  }

  /** True if grants are configured. Every caller must then send a bearer token. */
  get configured(): boolean {
    return this.#commonGrant === undefined
  }

  /** True if the gateway can tell callers apart. Each session then belongs to one caller. */
  get identifiesCallers(): boolean {
    return this.configured || this.#accounts !== undefined
  }

  /** Returns the grant for an `Authorization` header. Returns undefined for an unknown token. */
  findByToken(authorization: string | undefined): Grant | undefined {
    if (this.#commonGrant !== undefined) return this.#commonGrant
    const token = bearerIn(authorization)
    return token === undefined ? undefined : this.#byDigest.get(digest(token))
  }

  /**
   * Returns the grant for an `Authorization` header. If the upstream has accounts, also looks for the account
   * of the token. Returns undefined for an unknown token.
   */
  async findCaller(authorization: string | undefined): Promise<Grant | undefined> {
    const grant = this.findByToken(authorization)
    const token = bearerIn(authorization)
    if (grant === undefined || token === undefined || this.#accounts === undefined) return grant
    const account = await this.#accounts.find(token)
    if (account === undefined) return this.configured ? grant : undefined
    const { id, credential } = account
    return { ...grant, label: this.configured ? grant.label : id, credential }
  }

  /**
   * Returns the grant of a client on a pipe. The client cannot send a token in a header, so the option
   * `--grant` names the label.
   *
   * @throws Refusal `bad_grant` if grants are configured and none has the label, or the label is undefined
   */
  findByLabel(label: string | undefined): Grant {
    if (this.#commonGrant !== undefined) return this.#commonGrant
    const known = [...this.#byDigest.values()]
    const found = known.find(grant => grant.label === label)
    if (found !== undefined) return found
    const problem =
      label === undefined
        ? 'no grant is named for the caller on stdio'
        : `there is no grant ${JSON.stringify(label)}`
    throw new Refusal(
      'bad_grant',
      problem,
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

/** Stores for each session the grant that opened it. Other grants must not use the session. */
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
 * @throws HttpRejection 401 if the request has no known bearer token
 */
export function checkBearer(headers: IncomingHttpHeaders, grants: Grants): Grant {
  return known(grants.findByToken(headers.authorization), headers, grants)
}

/**
 * Returns the grant of an HTTP request. If the upstream has accounts, also looks for the account of the
 * token.
 *
 * @throws HttpRejection 401 if the request has no known bearer token
 */
export async function checkCaller(headers: IncomingHttpHeaders, grants: Grants): Promise<Grant> {
  return known(await grants.findCaller(headers.authorization), headers, grants)
}

function known(grant: Grant | undefined, headers: IncomingHttpHeaders, grants: Grants): Grant {
  if (grant === undefined) throw unknownCallerError(headers, grants)
  return grant
}

/**
 * Checks that the session of a legacy request belongs to the grant of the caller. A modern request has no
 * session.
 *
 * @throws HttpRejection 404 if the grant has not opened the session
 */
export function checkSession(
  headers: IncomingHttpHeaders,
  grant: Grant,
  grants: Grants,
  owners: SessionOwners,
): void {
  const session = headers['mcp-session-id']
  if (grants.identifiesCallers && session !== undefined && !owners.owns(String(session), grant.label)) {
    throw sessionNotFound(String(session))
  }
}

function unknownCallerError({ authorization }: IncomingHttpHeaders, { configured }: Grants): HttpRejection {
  const missing = authorization === undefined
  const message = missing
    ? 'this gateway needs the token of a grant: send it as Authorization: Bearer TOKEN'
    : configured
      ? 'no grant has this bearer token: check the token, or add a grant with this token'
      : 'no account has this bearer token: send the token of an account, or no token to call without an account'
  return new HttpRejection(401, RpcCode.transport, message, {
    'WWW-Authenticate': missing ? CHALLENGE : `${CHALLENGE}, error="invalid_token"`,
  })
}

/** The policy of a grant and its engine. */
type Enforced = Pick<Grant, 'engine' | 'policy'>

const UNENFORCED: Enforced = { engine: NO_POLICY, policy: null }

/**
 * Creates the grants of a gateway and their engines. Grants with the same policy file share one engine. A
 * limit that does not count by grant then counts the calls of all these grants together.
 *
 * @throws Refusal if a policy cannot be read, if two grants have the same label or token, or if the gateway
 *   has neither a policy nor grants
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
  // The common policy is read even if every grant has its own policy, so that its errors are reported.
  const common = policy === undefined ? UNENFORCED : await enforcedOf(policy)
  if (grants === undefined) {
    if (policy !== undefined) return new Grants({ label: DEFAULT_LABEL, ...common }, accounts)
    throw new Refusal('no_policy', 'the gateway has no policy', 'name a policy, or grants with policies')
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
        // The token is checked below, because the error of this schema would show the token.
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
 * @throws Refusal `bad_grants`, whose message contains no token
 */
export async function readGrantsFile(path: string): Promise<GrantOptions[]> {
  const { grants } = checked(
    grantsFile,
    parseGrants(readTextFile(path, 'grants', 'bad_grants'), path),
    'bad_grants',
    'grants file',
  )
  return grants.map(({ label, token, policy }) => {
    if (typeof token !== 'string' || !TOKEN.test(token)) {
      const hint = 'write 8 or more letters, digits and the characters ._~+/-'
      throw new Refusal(
        'bad_grants',
        `the token of the grant ${JSON.stringify(label)} is missing, or is not a valid bearer token`,
        hint,
      )
    }
    return { label, token, ...defined({ policy: policy && resolve(dirname(path), policy) }) }
  })
}

function parseGrants(text: string, path: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    // The error of the JSON parser would quote a part of the file, which contains tokens.
    const hint = 'write {"grants": [{"label": "…", "token": "…", "policy": "FILE"}]}'
    throw new Refusal('bad_grants', `the grants file ${JSON.stringify(path)} is not JSON`, hint)
  }
}
