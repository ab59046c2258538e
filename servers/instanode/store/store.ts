import type { Account, Delivery, Resource, ResourceType } from '../domain/model.js'

/** All that a store keeps, as plain data. */
export interface InstanodeTables {
  readonly accounts: readonly Account[]
  /** Today's; of the day before, what has not been forgotten yet. */
  readonly provisions: readonly { readonly day: string; readonly subnet: string; readonly count: number }[]
  /** In the order of their creation. */
  readonly resources: readonly Resource[]
  /** Each receiver's in the order of their arrival. */
  readonly deliveries: readonly { readonly token: string; readonly delivery: Delivery }[]
}

/**
 * Where accounts, resources and what receivers took are kept.
 *
 * Rules are the domain's: a store keeps what it is given and finds what it is asked for.
 */
export interface InstanodeStore {
  /** Keeps an account, in place of one of the same id. */
  saveAccount(account: Account): Promise<void>
  accounts(): Promise<Account[]>
  accountByToken(fixedToken: string): Promise<Account | undefined>
  accountByUser(userId: string): Promise<Account | undefined>

  /** Counts one provision, unless there were `cap` that day already; in one step. @returns whether it was counted */
  countProvision(subnet: string, day: string, cap: number): Promise<boolean>

  /** Which of the states that were loaded this is: one more with each. */
  epoch(): Promise<number>
  /**
   * Keeps a new resource, if it was begun in this state.
   *
   * @param epoch what it was when the resource was begun
   * @returns whether it is kept
   */
  insert(resource: Resource, epoch: number): Promise<boolean>
  find(token: string): Promise<Resource | undefined>
  /**
   * Changes one resource, alone: no other change of it, from whichever process, runs meanwhile.
   *
   * @param change is given the resource as it is and returns it as it is to be; undefined, or a throw, leaves it. It may be
   *   called again, and asks nothing of anybody: the resource is locked meanwhile
   * @returns the resource as it was written; undefined if nothing was
   */
  alter(
    token: string,
    change: (resource: Resource | undefined) => Promise<Resource | undefined>,
  ): Promise<Resource | undefined>
  /** All that have not been forgotten, the first created first. */
  resources(): Promise<Resource[]>
  /** The last created first. */
  ownedBy(accountId: string): Promise<Resource[]>
  /** Those of a type made from a subnet, the last created first. */
  madeFrom(subnet: string, type: ResourceType): Promise<Resource[]>
  /** The tokens of those with a `nextVisit` up to `instant`. */
  due(instant: number): Promise<string[]>
  /** The earliest `nextVisit`. */
  nextDue(): Promise<number | undefined>

  /**
   * Puts a delivery in front of a receiver's log, and lets go of the oldest beyond `keep`; unless the
   * receiver is over by then.
   *
   * @returns whether it is kept
   */
  pushDelivery(token: string, delivery: Delivery, keep: number): Promise<boolean>
  /** A receiver's log, the newest first. */
  deliveries(token: string): Promise<Delivery[]>
  delivery(token: string, id: string): Promise<Delivery | undefined>
  forgetDeliveries(token: string): Promise<void>

  /** All there is, at one moment. */
  dump(): Promise<InstanodeTables>
  /** Keeps that and nothing else, in one step. */
  load(tables: InstanodeTables): Promise<void>
  close(): Promise<void>
}
