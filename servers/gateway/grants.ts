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

/** Sessions remembered: clients are free to leave without a word. */
const MAX_SESSIONS = 100_000

const CHALLENGE = 'Bearer realm="mcp-understudy gateway"'

/** A caller: its name for quotas and the audit, and the policy of its calls. */
export interface Grant {
  readonly label: string
  readonly engine: PolicyEngine
  /** The file that the engine is made from; null: none. */
  readonly policy: PolicySummary | null
  /** The gateway's own credential for the account of this caller at the upstream. Undefined if the caller showed none. */
  readonly credential?: string
}

/** The grant of every caller where none are configured. */
const DEFAULT_LABEL = 'default'

/** The engine of a grant without a policy: it denies every call and hides nothing. */
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

/** The callers of a gateway. */
export class Grants {
  readonly #everybody: Grant | undefined
  /** By digest, so that the time of a look-up says nothing about a token. */
  readonly #byDigest = new Map<string, TokenGrant>()
  readonly #accounts: UpstreamAccounts | undefined

  /**
   * @param grants the callers that are configured, or the one that every caller is
   * @param accounts of the upstream. Default: none
   * @throws Refusal `bad_grants` for a label or a token that two have
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

  /** All that are configured, or the one that every caller is. */
  get all(): readonly Grant[] {
    return this.#everybody === undefined ? [...this.#byDigest.values()] : [this.#everybody]
  }

  /** Whether grants are configured, so that callers have to show a bearer. */
  get asked(): boolean {
    return this.#everybody === undefined
  }

  /** Whether callers can differ, so that a session belongs to one of them. */
  get differ(): boolean {
    return this.asked || this.#accounts !== undefined
  }

  /** The grant whose bearer this `Authorization` header has. Undefined for an unknown one. */
  bearing(authorization: string | undefined): Grant | undefined {
    if (this.#everybody !== undefined) return this.#everybody
    const token = bearerIn(authorization)
    return token === undefined ? undefined : this.#byDigest.get(digest(token))
  }

  /** Likewise, and by the accounts of the upstream. */
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
   * The grant of a caller on a pipe. It has no headers, so the options of the gateway say which it is.
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

function bearerIn(authorization: string | undefined): string | undefined {
  return /^Bearer +(\S+) *$/i.exec(authorization ?? '')?.[1]
}

function digest(token: string): string {
  return createHash('sha256').update(token).digest('base64')
}

/** Which grant opened which session. No other grant may use it. */
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
 * Finds the grant of a request over HTTP among those that are configured.
 *
 * @throws HttpRejection 401 without a known bearer
 */
export function checkBearer(headers: IncomingHttpHeaders, grants: Grants): Grant {
  return known(grants.bearing(headers.authorization), headers, grants)
}

/** Likewise, and by the accounts of the upstream. */
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
 * @throws HttpRejection 404 for a session that another grant has opened
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

/** A policy as a grant has it. */
type Enforced = Pick<Grant, 'engine' | 'policy'>

const UNENFORCED: Enforced = { engine: NO_POLICY, policy: null }

/**
 * Makes the grants of a gateway, each with its engine. Grants that name the same file share one, so limits that do not count by
 * grant count them together.
 *
 * @throws Refusal for a policy that cannot be read, or grants that cannot be told apart
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
  // Read even if every grant has its own, because a file that is named has to be right.
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
