import type { Instance } from '../../shared/instance.js'
import { Gate } from '../../shared/util/locks.js'
import type { Contract } from './contract.js'
import type { DatabaseProvider } from './databases/provider.js'
import { Accounts, Credentials } from './domain/accounts.js'
import { Platform } from './domain/local-service.js'
import type { Resource } from './domain/model.js'
import { Ownership } from './domain/ownership.js'
import { Permanence } from './domain/permanence.js'
import { Plans } from './domain/plans.js'
import { Provisioning } from './domain/provisioning.js'
import { Readiness } from './domain/readiness.js'
import { Reaper } from './domain/reaper.js'
import { Receivers } from './domain/receivers.js'
import { hostileService, type InstanodeHostility } from './hostile.js'
import type { InstanodeService } from './service.js'
import type { OpenedStore } from './store/open-store.js'
import type { InstanodeStore } from './store/store.js'

/** The service without any way to reach it. */
export interface Core {
  readonly store: InstanodeStore
  readonly databases: DatabaseProvider
  readonly accounts: Accounts
  readonly reaper: Reaper
  readonly receivers: Receivers
  readonly ownership: Ownership
  readonly plans: Plans
  readonly readiness: Readiness
  readonly provisioning: Provisioning
  readonly service: InstanodeService
  /** Where a resource is reached: receivers at this server, whichever of those that share the store has made them. */
  urlOf(resource: Resource): string
  /** All that changes anything goes through here; who is alone behind it has the service to itself. */
  readonly gate: Gate
}

/** Puts the parts of the service together. */
export function createCore(
  instance: Pick<Instance, 'clock' | 'machine' | 'ids' | 'log'>,
  contract: Contract,
  databases: DatabaseProvider,
  receiveUrl: (token: string) => string,
  opened: OpenedStore,
  hostility: InstanodeHostility = {},
): Core {
  const { clock, machine, ids: all, log } = instance
  const ids = all.stream('instanode')
  const { store, secret, ticksFrom } = opened
  const accounts = new Accounts(store, new Credentials(clock, secret), clock)
  const gate = new Gate()
  const reaper = new Reaper({ store, databases, clock, contract, log, gate, ticksFrom })
  const permanence = new Permanence({ databases, reaper, clock, contract, log })
  const shared = { store, accounts, databases, permanence, reaper, clock, contract, log, gate }
  const ownership = new Ownership(shared)
  const urlOf = ({ type, token, url }: Resource) => (type === 'webhook' ? receiveUrl(token) : url)
  const provisioning = new Provisioning({ ...shared, ids: ids.stream('resources'), receiveUrl, urlOf })
  return {
    store,
    databases,
    accounts,
    reaper,
    receivers: new Receivers({ store, clock, ids: ids.stream('deliveries'), contract, log, gate }),
    ownership,
    plans: new Plans(shared),
    readiness: new Readiness({ store, databases, machine, log }),
    provisioning,
    service: hostileService(new Platform(accounts, provisioning, ownership, gate), hostility),
    urlOf,
    gate,
  }
}
