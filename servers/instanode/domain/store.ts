import { createHash } from 'node:crypto'
import { isUnsure } from '../../../shared/errors.js'
import { EMPTY_SUMMARY, type PartitionDump, type Table } from '../../../shared/records/partition.js'
import type { NewsListener, Records } from '../../../shared/records/records.js'
import type { Transaction, TransactionOptions } from '../../../shared/records/transaction.js'
import { type Account, type Delivery, nextVisit, type Resource } from './model.js'

const SCOPE = 'instanode'

/** The partition of accounts, resources and caps. */
const SERVICE = `${SCOPE}/service/main`

/** The kind of partition that holds the deliveries of one receiver. */
const RECEIVERS = `${SCOPE}/receiver`

const RESOURCES = 'resources'

/** Bytes of all deliveries together. Beyond that, receivers accept deliveries and do not store them. */
const MAX_DELIVERY_BYTES = 256 * 1024 * 1024

/** Characters of a subnet in its key. A proxy may send any text instead of an address. */
const MARK_CHARS = 64

interface ResourceRecord {
  readonly resource: Resource
  /** Tells which of two resources of one instant was made later. */
  readonly position: number
}

interface DeliveryRecord extends Omit<Delivery, 'body'> {
  /** In base64. */
  readonly body: string
}

/**
 * Stores accounts, resources and deliveries as records: one partition for the service, one for each receiver.
 *
 * The rules about ownership, time and caps are in other files of the domain.
 */
export class InstanodeStore {
  readonly records: Records

  constructor(records: Records) {
    this.records = records
  }

  /** Stores an account. Replaces one with the same id. */
  saveAccount(account: Account): Promise<void> {
    return this.#inService(tx => {
      const accounts = accountsOf(tx)
      const known = [...accounts.entries()].find(([, { id }]) => id === account.id)
      accounts.set(known?.[0] ?? accounts.size + 1, account)
    })
  }

  /** Returns all accounts in the order in which they were added. */
  accounts(): Promise<Account[]> {
    return this.#inService(tx => accountsOf(tx).values())
  }

  /** Returns the first account that `test` accepts. */
  account(test: (account: Account) => boolean): Promise<Account | undefined> {
    return this.#inService(tx => accountsOf(tx).find(0, test))
  }

  /**
   * Counts one provision, unless the day already has `cap`. Forgets the counts of earlier days.
   *
   * @param day `yyyy-mm-dd`
   * @returns whether it was counted
   */
  countProvision(subnet: string, day: string, cap: number): Promise<boolean> {
    return this.#inService(tx => {
      const provisions = tx.table<number>('provisions')
      const key = `${day} ${markOf(subnet)}`
      const count = provisions.get(key) ?? 0
      if (count >= cap) return false
      if (count === 0) {
        const yesterday = dayBefore(day)
        for (const old of [...provisions.keys()]) if (old < yesterday) provisions.delete(old)
      }
      provisions.set(key, count + 1)
      return true
    })
  }

  /** Returns how often the state of the store has been replaced. */
  generation(): Promise<number> {
    return this.#inService(tx => tx.generation)
  }

  /**
   * Stores a new resource.
   *
   * @param generation the store's generation at the start of the creation
   * @throws Refusal `reset` if the state has been replaced since, `store_unavailable` if the store is away
   */
  insert(resource: Resource, generation: number): Promise<void> {
    const insert = () =>
      this.#inService(
        tx => {
          const resources = resourcesOf(tx)
          // An earlier attempt, whose outcome was not known, may have kept it.
          if (!resources.has(resource.token)) keep(tx, resource, resources.size)
        },
        { generation },
      )
    return insert().catch(error => {
      if (!isUnsure(error)) throw error
      // If this fails too, the outcome stays unknown.
      return insert().catch(() => {
        throw error
      })
    })
  }

  find(token: string): Promise<Resource | undefined> {
    return this.#inService(tx => resourcesOf(tx).get(token)?.resource)
  }

  /** Finds a receiver, and the store's generation at that moment. See `pushDelivery`. */
  receiver(token: string): Promise<{ receiver: Resource | undefined; generation: number }> {
    return this.#inService(tx => {
      const resource = resourcesOf(tx).get(token)?.resource
      return { receiver: resource?.type === 'webhook' ? resource : undefined, generation: tx.generation }
    })
  }

  /**
   * Changes one resource.
   *
   * @param change receives the resource and returns the new one. Undefined or an error changes nothing. It
   *   may be called again.
   * @returns the changed resource, or undefined if nothing was changed
   */
  alter(
    token: string,
    change: (resource: Resource | undefined) => Resource | undefined,
  ): Promise<Resource | undefined> {
    return this.#inService(tx => {
      const before = resourcesOf(tx).get(token)
      const changed = change(before?.resource)
      if (before === undefined || changed === undefined) return undefined
      keep(tx, changed, before.position)
      return changed
    })
  }

  /** Returns all stored resources, the oldest first. */
  resources(): Promise<Resource[]> {
    return this.#inService(tx => inOrder(resourcesOf(tx).values()))
  }

  /** The last created first. */
  async ownedBy(accountId: string): Promise<Resource[]> {
    const resources = await this.resources()
    const owned = resources.filter(({ owner }) => owner === accountId)
    return owned.reverse().sort((one, other) => other.createdAt - one.createdAt)
  }

  /** Returns the tokens of the resources that the reaper has to visit, each with the instant. */
  visits(): Promise<[token: string, instant: number][]> {
    return this.#inService(tx => {
      const visits: [string, number][] = []
      for (const { resource } of resourcesOf(tx).values()) {
        const visit = nextVisit(resource)
        if (visit !== null) visits.push([resource.token, visit])
      }
      return visits
    })
  }

  /**
   * Adds a delivery to a receiver, and drops the oldest ones beyond `max`.
   *
   * @param generation the store's generation when the receiver was found
   * @returns false if the receiver is closed, or if the state has been replaced since. The delivery is not
   *   stored then.
   */
  pushDelivery(token: string, delivery: Delivery, max: number, generation: number): Promise<boolean> {
    return this.#inReceiver(
      token,
      tx => {
        if (tx.generation !== generation || receiverOf(tx).has('closed')) return false
        const { id, body } = delivery
        if (tx.totals.bytes + body.length > MAX_DELIVERY_BYTES) {
          throw new Error(`all receivers keep ${MAX_DELIVERY_BYTES} bytes already: delete some, or reset`)
        }
        const deliveries = deliveriesOf(tx)
        deliveries.set((deliveries.lastNumber ?? 0) + 1, { ...delivery, body: body.toString('base64') })
        let bytes = tx.summary.bytes + body.length
        while (deliveries.size > max && deliveries.firstNumber !== undefined) {
          bytes -= bytesOf(deliveries.first)
          deliveries.delete(deliveries.firstNumber)
        }
        tx.summary = { ...tx.summary, open: true, entries: deliveries.size, bytes }
        tx.announce(id)
        return true
      },
      true,
    )
  }

  /** Returns a receiver's deliveries, the newest first. */
  deliveries(token: string): Promise<Delivery[]> {
    return this.#inReceiver(token, tx => [...deliveriesOf(tx).values()].map(deliveryOf).reverse())
  }

  async delivery(token: string, id: string): Promise<Delivery | undefined> {
    const found = await this.#inReceiver(token, tx => deliveriesOf(tx).find(0, known => known.id === id))
    return found && deliveryOf(found)
  }

  /** Closes a receiver. Removes its deliveries and stores no more. */
  forgetDeliveries(token: string): Promise<void> {
    return this.#inReceiver(token, tx => {
      deliveriesOf(tx).clear()
      tx.summary = EMPTY_SUMMARY
      // A delivery that is under way comes later.
      receiverOf(tx).set('closed', true)
    })
  }

  /** Returns whether a world has been loaded. */
  begun(): Promise<boolean> {
    return this.#inService(tx => tx.table<true>('world').has('begun'))
  }

  setBegun(): Promise<void> {
    return this.#inService(tx => tx.table<true>('world').set('begun', true))
  }

  /** Returns the value under `name`. The first replica of the store sets it for all replicas. */
  agree<Value>(name: string, value: Value): Promise<Value> {
    return this.records.transaction('store/settings/instanode', tx => {
      const settings = tx.table<Value>('settings')
      const agreed = settings.get(name) ?? value
      if (!settings.has(name)) settings.set(name, agreed)
      return agreed
    })
  }

  /** Calls `listener` when the reaper may have work. See `dueIn`. */
  watch(listener: NewsListener): () => void {
    return this.records.watch(SERVICE, listener)
  }

  /** Calls `listener` for each delivery to a receiver on another replica. */
  watchDeliveries(listener: (token: string, id: string) => void): () => void {
    return this.records.watchKind(RECEIVERS, listener)
  }

  /** Returns all records, at one instant. */
  dump(): Promise<PartitionDump[]> {
    return this.records.dump(SCOPE)
  }

  /** Replaces all records in one transaction. */
  load(partitions: readonly PartitionDump[]): Promise<void> {
    return this.records.replace(SCOPE, partitions)
  }

  #inService<T>(work: (tx: Transaction) => T, options?: TransactionOptions): Promise<T> {
    return this.records.transaction(SERVICE, work, options)
  }

  #inReceiver<T>(token: string, work: (tx: Transaction) => T, totals = false): Promise<T> {
    return this.records.transaction(`${RECEIVERS}/${token}`, work, { totals })
  }
}

/** Returns the instant in an announcement. Undefined if it has none. */
export function dueIn(detail: string | undefined): number | undefined {
  return detail === undefined || detail === '' ? undefined : Number(detail)
}

/** Returns the resources in a dump, the oldest first. */
export function resourcesIn(partitions: readonly PartitionDump[]): Resource[] {
  const service = partitions.find(({ name }) => name === SERVICE)
  return inOrder(
    (service?.records ?? []).flatMap(([collection, , value]) =>
      collection === RESOURCES ? [value as ResourceRecord] : [],
    ),
  )
}

/** Returns a dump with the current URLs of databases. @param urls by token */
export function withUrls(
  partitions: readonly PartitionDump[],
  urls: ReadonlyMap<string, string>,
): PartitionDump[] {
  return partitions.map(partition => ({
    ...partition,
    records: partition.records.map(record => {
      const [collection, key, value] = record
      const url = collection === RESOURCES ? urls.get(key) : undefined
      if (url === undefined) return record
      const { resource, position } = value as ResourceRecord
      return [collection, key, { resource: { ...resource, url }, position }]
    }),
  }))
}

function accountsOf(tx: Transaction) {
  return tx.list<Account>('accounts')
}

function resourcesOf(tx: Transaction): Table<ResourceRecord> {
  return tx.table<ResourceRecord>(RESOURCES)
}

/** Has one record once the receiver accepts no more deliveries. */
function receiverOf(tx: Transaction): Table<true> {
  return tx.table<true>('receiver')
}

function deliveriesOf(tx: Transaction) {
  return tx.list<DeliveryRecord>('deliveries')
}

function keep(tx: Transaction, resource: Resource, position: number): void {
  const resources = resourcesOf(tx)
  const before = resources.get(resource.token)?.resource
  resources.set(resource.token, { resource, position })
  const visit = nextVisit(resource)
  // The reaper of every replica visits it, because this replica may be gone by then.
  if (visit !== null && (before === undefined || visit !== nextVisit(before))) tx.announce(String(visit))
}

function inOrder(records: Iterable<ResourceRecord>): Resource[] {
  return [...records].sort((one, other) => one.position - other.position).map(({ resource }) => resource)
}

function deliveryOf(record: DeliveryRecord): Delivery {
  return { ...record, body: Buffer.from(record.body, 'base64') }
}

function bytesOf(delivery: DeliveryRecord | undefined): number {
  return delivery === undefined ? 0 : Buffer.byteLength(delivery.body, 'base64')
}

function markOf(subnet: string): string {
  const plain = subnet.length <= MARK_CHARS && !/\p{C}/u.test(subnet)
  return plain ? subnet : `sha256 ${createHash('sha256').update(subnet).digest('hex')}`
}

/** @param day `yyyy-mm-dd` */
function dayBefore(day: string): string {
  const date = new Date(`${day}T00:00:00Z`)
  date.setUTCDate(date.getUTCDate() - 1)
  return date.toISOString().slice(0, 'yyyy-mm-dd'.length)
}
