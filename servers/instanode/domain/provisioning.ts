import { isIP } from 'node:net'
import ipaddr from 'ipaddr.js'
import type { Clock } from '../../../shared/clock/clock.js'
import { isUnavailable, isUnsure } from '../../../shared/errors.js'
import type { IdSource } from '../../../shared/ids.js'
import { trimSpace } from '../../../shared/util/go-json.js'
import type { Log } from '../../../shared/util/log.js'
import type { Contract } from '../contract.js'
import type { DatabaseProvider } from '../databases/provider.js'
import { DAILY_CAP, databaseLimits, LIFETIME, type TierLimits, tierLimits } from '../limits.js'
import type { Caller, Provisioned } from '../service.js'
import type { Accounts } from './accounts.js'
import {
  type Account,
  dashboardUrl,
  databaseIdentity,
  databaseName,
  isLive,
  nextVisit,
  pricingUrl,
  type Resource,
  type ResourceType,
  startUrl,
} from './model.js'
import type { Reaper } from './reaper.js'
import { internalError, invalidName, provisionFailed, rateLimited, unauthorized } from './refusals.js'
import type { InstanodeStore } from './store.js'

/** Number of leading address bits that identify a network for the daily cap, as in the real service. */
const PREFIX_BITS = { ipv4: 24, ipv6: 48 } as const

const NOUNS = { postgres: 'database', webhook: 'webhook receiver' } as const

/**
 * Longest name of a resource, in bytes of UTF-8. The schema of the tools counts characters, so 33 letters of
 * two bytes pass the schema and are refused here.
 */
const MAX_NAME_BYTES = 64

export interface ProvisioningOptions {
  store: InstanodeStore
  accounts: Accounts
  databases: DatabaseProvider
  reaper: Reaper
  clock: Clock
  ids: IdSource
  contract: Contract
  log: Log
  /** Returns the receive URL of a receiver on this server. */
  receiveUrl(token: string): string
  /** Returns the current URL of a resource. */
  urlOf(resource: Resource): string
}

/** The fields of a resource that are known before its database exists. */
type Draft = Pick<Resource, 'id' | 'token' | 'type' | 'name' | 'tier' | 'owner' | 'subnet'>

export interface CreateOptions {
  /** A token that no resource has. Default: a new token from the id source. */
  token?: string
  /** Aborted when the caller has disconnected. The creation of a database then ends. */
  signal?: AbortSignal | undefined
}

/** Creates databases and receivers. */
export class Provisioning {
  readonly #options: ProvisioningOptions

  constructor(options: ProvisioningOptions) {
    this.#options = options
  }

  /**
   * Creates a resource. Checks the name, the caller and the daily cap first, in this order.
   *
   * @returns the new resource. Beyond the daily cap under the observed contract: the newest resource of the
   *   subnet.
   * @throws ServiceRefusal 400 for an invalid name, 401 for an invalid bearer token, 429 beyond the daily
   *   cap, 503 if the resource cannot be created
   */
  async create(
    type: ResourceType,
    caller: Caller,
    requested: string,
    { token, signal }: CreateOptions = {},
  ): Promise<Provisioned<TierLimits>> {
    const { ids, store } = this.#options
    const name = readResourceName(requested)
    const [account, generation] = await Promise.all([this.#account(caller.bearer), store.generation()])
    const subnet = subnetOf(caller.address)
    if (account === undefined && !(await this.#underCap(subnet))) return this.#overCap(subnet, type)
    const tier = account?.plan === 'paid' ? 'paid' : 'anonymous'
    const draft: Draft = {
      id: ids.uuid(),
      token: token ?? ids.uuid(),
      type,
      name,
      tier,
      owner: account?.id ?? null,
      subnet,
    }
    const url =
      type === 'postgres' ? await this.#makeDatabase(draft, signal) : this.#options.receiveUrl(draft.token)
    return this.#resultOf(await this.#storeResource(draft, url, generation))
  }

  /**
   * Counts one creation against the daily cap without a resource, for a world that starts near the cap.
   *
   * @throws ServiceRefusal 429 beyond the daily cap
   */
  async countSpent(address: string): Promise<void> {
    if (!(await this.#underCap(subnetOf(address)))) throw rateLimited()
  }

  /**
   * Returns the account that will own the resource. The daily cap does not apply to its caller.
   *
   * @returns undefined if the resource will have no owner
   * @throws ServiceRefusal 401 for an invalid bearer token, if the contract refuses it
   */
  async #account(bearer: string | undefined): Promise<Account | undefined> {
    const { accounts, contract } = this.#options
    if (bearer === undefined) return undefined
    const account = await accounts.find(bearer)
    if (account === undefined && contract.refusesInvalidBearer) throw unauthorized()
    return account?.plan === 'paid' || contract.linksFreeAccounts ? account : undefined
  }

  /**
   * Counts one creation against the daily cap. It is counted before the creation, because the real service
   * also counts creations that fail.
   *
   * @returns false if the cap is reached
   */
  #underCap(subnet: string): Promise<boolean> {
    const day = new Date(this.#options.clock.now()).toISOString().slice(0, 'yyyy-mm-dd'.length)
    return this.#options.store.countProvision(subnet, day, DAILY_CAP)
  }

  async #overCap(subnet: string, type: ResourceType): Promise<Provisioned<TierLimits>> {
    const { store, clock, contract } = this.#options
    if (!contract.returnsExistingOverCap) throw rateLimited()
    const newest = (await store.resources()).findLast(
      resource => resource.subnet === subnet && resource.type === type && isLive(resource, clock.now()),
    )
    if (newest === undefined) throw rateLimited()
    return {
      id: newest.id,
      token: newest.token,
      name: null,
      tier: 'anonymous',
      url: this.#options.urlOf(newest),
      limits: tierLimits('anonymous', contract),
      expiresIn: LIFETIME.text,
      expiresAt: null,
      note: existingNote(newest),
    }
  }

  async #makeDatabase({ token, tier }: Draft, signal: AbortSignal | undefined): Promise<string> {
    const { databases, contract, ids, log } = this.#options
    const limits = databaseLimits(tier, contract)
    try {
      return (await databases.provision({ ...databaseIdentity(token, ids), limits }, signal)).url
    } catch (error) {
      if (signal?.aborted !== true)
        log.error(`the database ${databaseName(token)} could not be created`, error)
      throw provisionFailed()
    }
  }

  async #storeResource(draft: Draft, url: string, generation: number): Promise<Resource> {
    const { store, reaper, clock, log } = this.#options
    const createdAt = clock.now()
    const expiresAt = draft.tier === 'paid' ? null : createdAt + LIFETIME.ms
    const reapAt = expiresAt === null ? null : reaper.dueAt(expiresAt)
    const resource: Resource = {
      id: draft.id,
      token: draft.token,
      type: draft.type,
      name: draft.name,
      tier: draft.tier,
      status: 'active',
      owner: draft.owner,
      subnet: draft.subnet,
      url,
      createdAt,
      expiresAt,
      reapAt,
      measureAt: draft.type === 'postgres' ? reaper.nextMeasure() : null,
    }
    try {
      await store.insert(resource, generation)
    } catch (error) {
      log.error('a new resource could not be stored', error)
      // If the outcome is unsure, the resource may be in the store, so its database must stay.
      if (draft.type === 'postgres' && !isUnsure(error)) await this.#dropDatabase(draft)
      if (isUnavailable(error)) throw error
      throw internalError('the resource could not be stored, and nothing of it is left: try again')
    }
    reaper.planRound(nextVisit(resource))
    return resource
  }

  async #dropDatabase({ token }: Draft): Promise<void> {
    const { databases, log } = this.#options
    await databases
      .drop(databaseName(token))
      .catch(error =>
        log.error(`the database ${databaseName(token)} has no resource and could not be dropped`, error),
      )
  }

  #resultOf(resource: Resource): Provisioned<TierLimits> {
    return {
      id: resource.id,
      token: resource.token,
      name: resource.name,
      tier: resource.tier,
      url: resource.url,
      limits: tierLimits(resource.tier, this.#options.contract),
      expiresIn: resource.expiresAt === null ? null : LIFETIME.text,
      expiresAt: resource.expiresAt,
      note: creationNote(resource),
    }
  }
}

/**
 * Returns the name of a resource in the form in which it is stored: trimmed, with each unpaired surrogate
 * replaced by U+FFFD. All characters except control characters are allowed.
 *
 * @throws ServiceRefusal 400 `name_required` for every invalid name
 */
export function readResourceName(text: string): string {
  const bytes = Buffer.from(trimSpace(text), 'utf8')
  if (bytes.length === 0) throw invalidName('name is required: use 1 to 64 bytes of text')
  if (bytes.length > MAX_NAME_BYTES) {
    throw invalidName(
      `name must be ${MAX_NAME_BYTES} or fewer bytes of UTF-8: this name has ${bytes.length} bytes`,
    )
  }
  if (bytes.some(byte => byte < 0x20 || byte === 0x7f)) {
    throw invalidName('name must not contain control characters: remove those below U+0020, and U+007F')
  }
  return bytes.toString('utf8')
}

/**
 * Returns the note of the service on a new resource. The note says how long the resource lives and how to
 * keep it longer.
 */
function creationNote({ tier, owner, type, token }: Resource): string {
  const noun = NOUNS[type]
  if (tier === 'paid') return `Permanent ${noun} (Developer tier). Manage it at ${dashboardUrl()}`
  if (owner !== null && type === 'postgres') {
    return `This ${noun} lives for 24 hours. Upgrade to keep it: ${pricingUrl()}`
  }
  return (
    `This ${noun} works for 24 hours. Keep it forever with an account and a free 14-day ` +
    `trial: ${startUrl(token)}`
  )
}

/** Returns the note of the service on an existing resource that it returns when the daily cap is reached. */
function existingNote({ type, token }: Resource): string {
  const link = type === 'postgres' ? startUrl(token) : startUrl()
  return (
    `Returning your existing ${NOUNS[type]}, because the daily cap is reached. Create ` +
    `more with an account: ${link}`
  )
}

/**
 * Returns the network of an address, such as `203.0.113.0/24`. The daily cap counts by network. An IPv4
 * address in its IPv6 spelling has the network of the IPv4 address. A text that is not an address is returned
 * unchanged.
 *
 * @param address from the socket, or from a header of a proxy
 */
export function subnetOf(address: string): string {
  // ipaddr.js accepts "1" as an address, so node:net checks the form first.
  if (isIP(address) === 0) return address
  const parsed = ipaddr.process(address)
  const prefix = PREFIX_BITS[parsed.kind()]
  const bytes = parsed.toByteArray().map((byte, at) => (at < prefix / 8 ? byte : 0))
  return `${ipaddr.fromByteArray(bytes)}/${prefix}`
}
