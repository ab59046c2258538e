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
import { internalError, nameRefused, provisionFailed, rateLimited, unauthorized } from './refusals.js'
import type { InstanodeStore } from './store.js'

/** Bits that identify a customer's network: /24 of IPv4, /48 of IPv6. */
const PREFIX = { ipv4: 24, ipv6: 48 } as const

const NOUNS = { postgres: 'database', webhook: 'webhook receiver' } as const

/** Counted in UTF-8. The tool's schema counts characters, so 33 two-byte letters pass it and fail here. */
const MAX_BYTES = 64

export interface ProvisioningOptions {
  store: InstanodeStore
  accounts: Accounts
  databases: DatabaseProvider
  reaper: Reaper
  clock: Clock
  ids: IdSource
  contract: Contract
  log: Log
  /** Returns the URL that accepts deliveries for a receiver. */
  receiveUrl(token: string): string
  /** Returns the current URL of a resource. */
  urlOf(resource: Resource): string
}

/** The fields of a resource that are known before it is created. */
type Draft = Pick<Resource, 'id' | 'token' | 'type' | 'name' | 'tier' | 'owner' | 'subnet'>

export interface CreateOptions {
  /** A new, unused token. Default: drawn from the ids. */
  token?: string
  /** Aborted when the caller has left. Ends the creation of a database. */
  signal?: AbortSignal | undefined
}

/** Creates databases and receivers. */
export class Provisioning {
  readonly #options: ProvisioningOptions

  constructor(options: ProvisioningOptions) {
    this.#options = options
  }

  /**
   * Checks the name, the caller and the daily cap, in this order. Then creates and stores the resource.
   *
   * @throws ServiceRefusal 400 for the name, 401 for a bearer that proves nothing, 429 for the cap, 503 if it
   *   cannot
   *   be created
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
    return this.#provisioned(await this.#keep(draft, url, generation))
  }

  /** Counts an anonymous provision whose resource is gone. @throws ServiceRefusal 429 beyond the daily cap */
  async spend(address: string): Promise<void> {
    if (!(await this.#underCap(subnetOf(address)))) throw rateLimited()
  }

  /** Returns the account that becomes the owner. Its caller is not subject to the cap. */
  async #account(bearer: string | undefined): Promise<Account | undefined> {
    const { accounts, contract } = this.#options
    if (bearer === undefined) return undefined
    const account = await accounts.find(bearer)
    if (account === undefined && contract.refusesInvalidBearer) throw unauthorized()
    return account?.plan === 'paid' || contract.linksFreeAccounts ? account : undefined
  }

  /** Counts before the creation, because the service also counts creations that fail. */
  #underCap(subnet: string): Promise<boolean> {
    const day = new Date(this.#options.clock.now()).toISOString().slice(0, 'yyyy-mm-dd'.length)
    return this.#options.store.countProvision(subnet, day, DAILY_CAP)
  }

  async #overCap(subnet: string, type: ResourceType): Promise<Provisioned<TierLimits>> {
    const { store, clock, contract } = this.#options
    if (!contract.returnsExistingOverCap) throw rateLimited()
    const newest = (await store.resources()).findLast(
      made => made.subnet === subnet && made.type === type && isLive(made, clock.now()),
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
      if (signal?.aborted !== true) log.error('a database could not be created', error)
      throw provisionFailed()
    }
  }

  async #keep(draft: Draft, url: string, generation: number): Promise<Resource> {
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
      log.error('a resource could not be kept', error)
      // A resource that may have been stored must keep its database.
      if (draft.type === 'postgres' && !isUnsure(error)) await this.#dropUnkept(draft)
      if (isUnavailable(error)) throw error
      throw internalError('the resource could not be recorded and nothing is left of it: try again')
    }
    reaper.watch(nextVisit(resource))
    return resource
  }

  async #dropUnkept({ token }: Draft): Promise<void> {
    const { databases, log } = this.#options
    await databases
      .drop(databaseName(token))
      .catch(error => log.error('a database without a resource could not be dropped', error))
  }

  #provisioned(resource: Resource): Provisioned<TierLimits> {
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
 * Returns the name of a resource as it is stored: trimmed, with unpaired surrogates replaced. It may have any
 * characters except control characters.
 *
 * @throws ServiceRefusal 400 `name_required` for every invalid name
 */
export function readResourceName(text: string): string {
  const bytes = Buffer.from(trimSpace(text), 'utf8')
  if (bytes.length === 0) throw nameRefused('name is required: give 1 to 64 bytes of text')
  if (bytes.length > MAX_BYTES) {
    throw nameRefused(`name must be ${MAX_BYTES} or fewer bytes of UTF-8: this one has ${bytes.length}`)
  }
  if (bytes.some(byte => byte < 0x20 || byte === 0x7f)) {
    throw nameRefused('name must not contain control characters (below U+0020, or U+007F)')
  }
  return bytes.toString('utf8')
}

/** Returns the service's note on a new resource: its lifetime and how to extend it. */
function creationNote({ tier, owner, type, token }: Resource): string {
  const noun = NOUNS[type]
  if (tier === 'paid') return `Permanent ${noun} (Developer tier). Manage it at ${dashboardUrl()}`
  if (owner !== null && type === 'postgres') {
    return `This ${noun} lives for 24 hours. Upgrade to keep it: ${pricingUrl()}`
  }
  return `Works right now, for 24 hours. Keep it forever, with a free 14-day trial: ${startUrl(token)}`
}

/** Returns the note on an existing resource, which is returned when the daily cap is used up. */
function existingNote({ type, token }: Resource): string {
  const link = type === 'postgres' ? startUrl(token) : startUrl()
  return `Returning your existing ${NOUNS[type]}: the day's cap is used up. More with an account: ${link}`
}

/**
 * Returns the network that the daily cap counts, such as `203.0.113.0/24`. An IPv4 address and its IPv6
 * spelling are one network. A text that is not an address is its own network.
 *
 * @param address from the socket or from a proxy in front
 */
export function subnetOf(address: string): string {
  // Without this check ipaddr would accept "1" as an address.
  if (isIP(address) === 0) return address
  const parsed = ipaddr.process(address)
  const prefix = PREFIX[parsed.kind()]
  const bytes = parsed.toByteArray().map((byte, at) => (at < prefix / 8 ? byte : 0))
  return `${ipaddr.fromByteArray(bytes)}/${prefix}`
}
