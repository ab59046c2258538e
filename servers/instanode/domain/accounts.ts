import { createSecretKey, type KeyObject } from 'node:crypto'
import { errors, jwtVerify, SignJWT } from 'jose'
import type { Clock } from '../../../shared/clock/clock.js'
import { Refusal } from '../../../shared/errors.js'
import type { RwLock } from '../../../shared/util/locks.js'
import type { Log } from '../../../shared/util/log.js'
import { type Account, databaseName, isLive, nextVisit, type Plan, type Resource } from './model.js'
import type { Permanence } from './permanence.js'
import type { Reaper } from './reaper.js'
import { unauthorized } from './refusals.js'
import type { InstanodeStore } from './store.js'

/**
 * Number of verified tokens that are remembered. One more replaces the oldest one, which is verified again at
 * its next use.
 */
const MAX_VERIFIED = 1000

/** Seconds for which an account token is valid: 30 days, as in the real service. */
export const TOKEN_LIFETIME_SECONDS = 2_592_000

/**
 * Accepted JWT algorithms, as in the real service: every HMAC. The algorithm `none` and public-key algorithms
 * are refused.
 */
const ALGORITHMS = ['HS256', 'HS384', 'HS512']

/** The result of verifying a token, with the account. */
interface VerifiedToken extends TokenProof {
  accountId: string
}

/** The remembered verified tokens, the oldest first. */
export type VerifiedTokens = readonly (readonly [bearer: string, verified: Readonly<VerifiedToken>])[]

/**
 * Finds the account of a bearer token, which is a fixed token of the world or an account token that the
 * service has minted.
 */
export class Accounts {
  readonly #store: InstanodeStore
  readonly #credentials: Credentials
  readonly #clock: Clock
  readonly #verified = new Map<string, Readonly<VerifiedToken>>()
  /** Ids of accounts, by their fixed tokens. */
  readonly #fixed = new Map<string, string>()
  /** Tokens that were minted for gateways, by user id. */
  readonly #delegated = new Map<string, string>()

  /** @param secret signs account tokens, 32 bytes or more */
  constructor(store: InstanodeStore, clock: Clock, secret: Buffer) {
    this.#store = store
    this.#clock = clock
    this.#credentials = new Credentials(clock, secret)
  }

  /** Adds an account, or replaces the account with the same id. */
  async save(account: Account): Promise<void> {
    await this.#store.saveAccount(account)
    if (account.fixedToken !== null) this.#fixed.set(account.fixedToken, account.id)
  }

  /** Returns the account of a bearer token, with its current plan. Undefined if the token is not valid. */
  async find(bearer: string): Promise<Account | undefined> {
    const fixedAccount = await this.#store.account(({ fixedToken }) => fixedToken === bearer)
    if (fixedAccount !== undefined) return fixedAccount
    const proof = this.#stillVerified(bearer) ?? (await this.#credentials.verify(bearer))
    if (proof === undefined) return undefined
    const account = await this.#store.account(({ userId }) => userId === proof.userId)
    if (account !== undefined) this.#remember(bearer, account, proof)
    return account
  }

  /**
   * Returns the account of a bearer token.
   *
   * @throws ServiceRefusal 401 `unauthorized` if the token is missing or not valid
   */
  async require(bearer: string | undefined): Promise<Account> {
    const account = bearer === undefined ? undefined : await this.find(bearer)
    if (account === undefined) throw unauthorized()
    return account
  }

  /**
   * Returns the caller's name for the journal.
   *
   * @returns the account id, `anonymous` without a bearer token, or `unverified` for a token that was never
   *   verified
   */
  nameOf(bearer: string | undefined): string {
    if (bearer === undefined) return 'anonymous'
    return this.#fixed.get(bearer) ?? this.#stillVerified(bearer)?.accountId ?? 'unverified'
  }

  snapshot(): VerifiedTokens {
    return [...this.#verified]
  }

  /**
   * Replaces the remembered tokens. Call it after the store has been restored, because it reads the fixed
   * tokens from there.
   */
  async restore(tokens: VerifiedTokens): Promise<void> {
    this.#verified.clear()
    for (const [bearer, token] of tokens) this.#verified.set(bearer, token)
    this.#fixed.clear()
    for (const { id, fixedToken } of await this.#store.accounts())
      if (fixedToken !== null) this.#fixed.set(fixedToken, id)
  }

  /** Mints an account token, and remembers it as verified. */
  async mint(account: Account): Promise<string> {
    const token = await this.#credentials.mint(account.userId)
    await this.find(token)
    return token
  }

  /**
   * Finds the account of a bearer token, and a second token of the same account. A gateway calls with the
   * second token, because it must not pass on the token of its caller.
   *
   * @returns the account's id and the second token. Undefined if the bearer token is not valid.
   */
  async delegate(bearer: string): Promise<{ id: string; credential: string } | undefined> {
    const account = await this.find(bearer)
    if (account === undefined) return undefined
    const { id, userId } = account
    const minted = this.#delegated.get(userId)
    if (minted !== undefined && (await this.find(minted))?.id === id) return { id, credential: minted }
    const credential = await this.mint(account)
    this.#delegated.set(userId, credential)
    return { id, credential }
  }

  #stillVerified(bearer: string): Readonly<VerifiedToken> | undefined {
    const token = this.#verified.get(bearer)
    return token !== undefined && this.#clock.now() < token.until ? token : undefined
  }

  #remember(bearer: string, { id }: Account, { userId, until }: TokenProof): void {
    if (this.#verified.has(bearer)) return
    this.#verified.set(bearer, { accountId: id, userId, until })
    if (this.#verified.size <= MAX_VERIFIED) return
    const [earliest] = this.#verified.keys()
    if (earliest !== undefined) this.#verified.delete(earliest)
  }
}

/** The content of a valid account token. */
interface TokenProof {
  userId: string
  /** End of the token's validity, in milliseconds since the epoch. Infinite for a token without `exp`. */
  until: number
}

/**
 * Mints and verifies the service's account tokens. The tokens are JWTs. A token is valid until its `exp` and
 * cannot be revoked.
 */
class Credentials {
  readonly #clock: Clock
  readonly #key: KeyObject

  /** @param secret signs the tokens, 32 bytes or more */
  constructor(clock: Clock, secret: Buffer) {
    this.#clock = clock
    this.#key = createSecretKey(secret)
  }

  /** Mints a token whose claims are exactly `user_id`, `exp` and `iat`, as in the real service. */
  async mint(userId: string): Promise<string> {
    const iat = Math.floor(this.#clock.now() / 1000)
    return new SignJWT({ user_id: userId, exp: iat + TOKEN_LIFETIME_SECONDS, iat })
      .setProtectedHeader({ alg: 'HS256', typ: 'JWT' })
      .sign(this.#key)
  }

  /** Returns the content of a token. Undefined if the token is not valid now, for any reason. */
  async verify(token: string): Promise<TokenProof | undefined> {
    try {
      const { payload } = await jwtVerify(token, this.#key, {
        algorithms: ALGORITHMS,
        currentDate: new Date(this.#clock.now()),
      })
      if (typeof payload.user_id !== 'string') return undefined
      const until = payload.exp === undefined ? Number.POSITIVE_INFINITY : payload.exp * 1000
      return { userId: payload.user_id, until }
    } catch (error) {
      if (error instanceof errors.JOSEError) return undefined
      throw error
    }
  }
}

interface PlansOptions {
  store: InstanodeStore
  accounts: Accounts
  permanence: Permanence
  reaper: Reaper
  clock: Clock
  log: Log
  lock: RwLock
}

/** Changes the plan of an account, and the tier and expiry of the account's resources. */
export class Plans {
  readonly #options: PlansOptions

  constructor(options: PlansOptions) {
    this.#options = options
  }

  /**
   * Changes the plan of an account. With `paid`, its live resources become permanent. With `free`, its
   * permanent resources expire after 168 hours.
   *
   * @returns the account after the change
   * @throws Refusal `unknown_account`
   * @throws ServiceRefusal 500 if the limits of a database cannot be raised. The account and its resources
   *   are unchanged then.
   */
  change(accountId: string, plan: Plan): Promise<Account> {
    return this.#options.lock.shared(() => this.#change(accountId, plan))
  }

  async #change(accountId: string, plan: Plan): Promise<Account> {
    const before = await this.#account(accountId)
    const account: Account = { ...before, plan }
    // The account is saved before its resources are read, so that
    // a resource that is created meanwhile has the new plan.
    await this.#options.accounts.save(account)
    const changed: Resource[] = []
    try {
      for (const { token } of await this.#options.store.ownedBy(accountId))
        await this.#changeResource(token, plan, changed)
    } catch (error) {
      await this.#options.accounts.save(before)
      for (const resource of changed) await this.#undoChange(resource)
      throw error
    }
    return account
  }

  async #account(id: string): Promise<Account> {
    const accounts = await this.#options.store.accounts()
    const account = accounts.find(known => known.id === id)
    if (account !== undefined) return account
    throw new Refusal(
      'unknown_account',
      `there is no account ${JSON.stringify(id)}`,
      `there are ${accounts.map(known => known.id).join(', ')}`,
    )
  }

  /**
   * Changes one resource to a new plan of its owner.
   *
   * @param changed receives the resource as it was before, for {@link #undoChange}
   */
  async #changeResource(token: string, plan: Plan, changed: Resource[]): Promise<void> {
    const { store, clock, permanence, reaper } = this.#options
    const resource = await store.find(token)
    if (resource === undefined || !isLive(resource, clock.now())) return
    // Limits are raised before the record changes, because they
    // are slow and cannot be part of the store's transaction.
    if (plan === 'paid') await permanence.raiseLimits(resource)
    let before: Resource | undefined
    const changedResource = await store.alter(token, resource => {
      before = resource
      if (resource === undefined || !isLive(resource, clock.now())) return undefined
      return plan === 'paid' ? permanence.permanent(resource) : permanence.withGrace(resource)
    })
    if (changedResource === undefined || before === undefined) return
    changed.push(before)
    reaper.planRound(nextVisit(changedResource))
  }

  async #undoChange(before: Resource): Promise<void> {
    const { store, clock, permanence, reaper, log } = this.#options
    const { tier, expiresAt, reapAt } = before
    await store.alter(
      before.token,
      // A resource that was deleted in the meantime stays deleted.
      resource =>
        resource && isLive(resource, clock.now()) ? { ...resource, tier, expiresAt, reapAt } : undefined,
    )
    reaper.planRound(nextVisit(before))
    await permanence
      .restoreLimits(before)
      .catch(error =>
        log.error(
          `the limits of the database ${databaseName(before.token)} could not be lowered again`,
          error,
        ),
      )
  }
}
