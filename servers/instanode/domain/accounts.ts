import { createSecretKey, type KeyObject } from 'node:crypto'
import { errors, jwtVerify, SignJWT } from 'jose'
import type { Clock } from '../../../shared/clock/clock.js'
import { Refusal } from '../../../shared/errors.js'
import type { RwLock } from '../../../shared/util/locks.js'
import type { Log } from '../../../shared/util/log.js'
import { type Account, isLive, nextVisit, type Plan, type Resource } from './model.js'
import type { Permanence } from './permanence.js'
import type { Reaper } from './reaper.js'
import { unauthorized } from './refusals.js'
import type { InstanodeStore } from './store.js'

/** Verified tokens that are remembered. Beyond that, the oldest is verified again. */
const MAX_KNOWN = 1000

/** 30 days, the lifetime in the service. */
export const TOKEN_LIFETIME_SECONDS = 2_592_000

/** Any HMAC with the service's secret proves the account. `none` and public-key algorithms do not. */
const ALGORITHMS = ['HS256', 'HS384', 'HS512']

/** A verified token and its account. */
interface Known extends Proof {
  accountId: string
}

/** The remembered tokens, the oldest first. */
export type KnownTokens = readonly (readonly [bearer: string, known: Readonly<Known>])[]

/** Finds the account of a bearer: one of the world's fixed tokens, or a token that the service has minted. */
export class Accounts {
  readonly #store: InstanodeStore
  readonly #credentials: Credentials
  readonly #clock: Clock
  readonly #known = new Map<string, Readonly<Known>>()
  /** Account ids by fixed token. */
  readonly #fixed = new Map<string, string>()
  /** The tokens with which gateways call, by user. */
  readonly #delegated = new Map<string, string>()

  /** @param secret signs the tokens: 32 bytes or more */
  constructor(store: InstanodeStore, clock: Clock, secret: Buffer) {
    this.#store = store
    this.#clock = clock
    this.#credentials = new Credentials(clock, secret)
  }

  /** Adds an account, or changes the one of the same id. */
  async save(account: Account): Promise<void> {
    await this.#store.saveAccount(account)
    if (account.fixedToken !== null) this.#fixed.set(account.fixedToken, account.id)
  }

  /** Returns the account of a bearer with its current plan. Undefined if the bearer proves nothing. */
  async find(bearer: string): Promise<Account | undefined> {
    const fixed = await this.#store.account(({ fixedToken }) => fixedToken === bearer)
    if (fixed !== undefined) return fixed
    const proof = this.#stillKnown(bearer) ?? (await this.#credentials.verify(bearer))
    if (proof === undefined) return undefined
    const account = await this.#store.account(({ userId }) => userId === proof.userId)
    if (account !== undefined) this.#remember(bearer, account, proof)
    return account
  }

  /**
   * Returns the account of a caller that must have one.
   *
   * @throws ServiceRefusal 401 `unauthorized`
   */
  async require(bearer: string | undefined): Promise<Account> {
    const account = bearer === undefined ? undefined : await this.find(bearer)
    if (account === undefined) throw unauthorized()
    return account
  }

  /** Returns the caller's name for the journal. `unverified` until the bearer has been verified once. */
  nameOf(bearer: string | undefined): string {
    if (bearer === undefined) return 'anonymous'
    return this.#fixed.get(bearer) ?? this.#stillKnown(bearer)?.accountId ?? 'unverified'
  }

  snapshot(): KnownTokens {
    return [...this.#known]
  }

  /** Forgets the remembered tokens. Call it after the store was restored. */
  async restore(known: KnownTokens): Promise<void> {
    this.#known.clear()
    for (const [bearer, one] of known) this.#known.set(bearer, one)
    this.#fixed.clear()
    for (const { id, fixedToken } of await this.#store.accounts())
      if (fixedToken !== null) this.#fixed.set(fixedToken, id)
  }

  /** Mints a token for an account. */
  async mint(account: Account): Promise<string> {
    const token = await this.#credentials.mint(account.userId)
    await this.find(token)
    return token
  }

  /**
   * Finds the account of a bearer, with another token for the same account: a gateway does not pass on the
   * token of its caller.
   *
   * @returns undefined if the bearer proves nothing
   */
  async delegate(bearer: string): Promise<{ id: string; credential: string } | undefined> {
    const account = await this.find(bearer)
    if (account === undefined) return undefined
    const { id, userId } = account
    const earlier = this.#delegated.get(userId)
    if (earlier !== undefined && (await this.find(earlier))?.id === id) return { id, credential: earlier }
    const credential = await this.mint(account)
    this.#delegated.set(userId, credential)
    return { id, credential }
  }

  #stillKnown(bearer: string): Readonly<Known> | undefined {
    const known = this.#known.get(bearer)
    return known !== undefined && this.#clock.now() < known.until ? known : undefined
  }

  #remember(bearer: string, { id }: Account, { userId, until }: Proof): void {
    if (this.#known.has(bearer)) return
    this.#known.set(bearer, { accountId: id, userId, until })
    if (this.#known.size <= MAX_KNOWN) return
    const [earliest] = this.#known.keys()
    if (earliest !== undefined) this.#known.delete(earliest)
  }
}

/** The user of a token, and the end of the token. */
interface Proof {
  userId: string
  /** Milliseconds since the epoch; infinite for a token without an end. */
  until: number
}

/**
 * Mints and verifies the service's account tokens. They are JWTs, which end with their time and cannot be
 * revoked.
 */
class Credentials {
  readonly #clock: Clock
  readonly #key: KeyObject

  /** @param secret 32 bytes or more */
  constructor(clock: Clock, secret: Buffer) {
    this.#clock = clock
    this.#key = createSecretKey(secret)
  }

  /** Mints a token with exactly `user_id`, `exp` and `iat`. */
  async mint(userId: string): Promise<string> {
    const iat = Math.floor(this.#clock.now() / 1000)
    return new SignJWT({ user_id: userId, exp: iat + TOKEN_LIFETIME_SECONDS, iat })
      .setProtectedHeader({ alg: 'HS256', typ: 'JWT' })
      .sign(this.#key)
  }

  /** Returns the proof of a token at this instant. Undefined if the token proves nothing, for any reason. */
  async verify(token: string): Promise<Proof | undefined> {
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

/** Changes the plan of an account and of its resources. */
export class Plans {
  readonly #options: PlansOptions

  constructor(options: PlansOptions) {
    this.#options = options
  }

  /**
   * Changes the plan of an account. Paid: all its usable resources become permanent. Free: permanent ones get
   * another 168 hours.
   *
   * @returns the account after the change
   * @throws Refusal `unknown_account`
   * @throws ServiceRefusal 500 if a database could not be changed. The account and its resources are
   *   unchanged then.
   */
  change(accountId: string, plan: Plan): Promise<Account> {
    return this.#options.lock.shared(() => this.#change(accountId, plan))
  }

  async #change(accountId: string, plan: Plan): Promise<Account> {
    const before = await this.#account(accountId)
    const account: Account = { ...before, plan }
    // The account is saved first, so that resources created meanwhile get the new plan.
    await this.#options.accounts.save(account)
    const changed: Resource[] = []
    try {
      for (const { token } of await this.#options.store.ownedBy(accountId))
        await this.#follow(token, plan, changed)
    } catch (error) {
      await this.#options.accounts.save(before)
      for (const resource of changed) await this.#putBack(resource)
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

  /** @param changed receives the resource before its change */
  async #follow(token: string, plan: Plan, changed: Resource[]): Promise<void> {
    const { store, clock, permanence, reaper } = this.#options
    const there = await store.find(token)
    if (there === undefined || !isLive(there, clock.now())) return
    // The limits of the database come first, because the store cannot undo them. Nothing is locked meanwhile.
    if (plan === 'paid') await permanence.raise(there)
    let before: Resource | undefined
    const written = await store.alter(token, resource => {
      before = resource
      if (resource === undefined || !isLive(resource, clock.now())) return undefined
      return plan === 'paid' ? permanence.granted(resource) : permanence.ending(resource)
    })
    if (written === undefined || before === undefined) return
    changed.push(before)
    reaper.watch(nextVisit(written))
  }

  async #putBack(before: Resource): Promise<void> {
    const { store, clock, permanence, reaper, log } = this.#options
    const { tier, expiresAt, reapAt } = before
    await store.alter(
      before.token,
      // A resource that its owner has deleted meanwhile stays deleted.
      resource =>
        resource && isLive(resource, clock.now()) ? { ...resource, tier, expiresAt, reapAt } : undefined,
    )
    reaper.watch(nextVisit(before))
    await permanence
      .revoke(before)
      .catch(error => log.error('the limits of a database could not be put back', error))
  }
}
