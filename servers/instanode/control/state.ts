import type { Clock } from '../../../shared/clock/clock.js'
import type { ContractName } from '../../../shared/contract.js'
import type { StateRequest } from '../../../shared/instance.js'
import type { McpHost } from '../../../shared/mcp/host.js'
import { iso } from '../../../shared/schemas/instant.js'
import { callsUnderWay } from '../../control/calls-under-way.js'
import { mcpUrl } from '../../control/schemas/mcp-url.js'
import { type Contract, contractOf } from '../contract.js'
import type { Core } from '../core.js'
import type { DatabaseProvider } from '../databases/provider.js'
import type { Account } from '../domain/account.js'
import { databaseName } from '../domain/database.js'
import { isLive, type Resource } from '../domain/model.js'
import { limitsOf } from '../limits.js'
import type { Caller } from '../service.js'
import type { InstanodeStore } from '../store/store.js'
import type { InstanodeView } from '../view.js'
import { describeDelivery, maskedToken, maskedUrl } from './described.js'

type ResourceState = InstanodeView['resources'][number]

export interface StateSources {
  store: InstanodeStore
  databases: DatabaseProvider
  host: McpHost<Caller>
  clock: Clock
  contract: ContractName
  urlOf: Core['urlOf']
  /** Where it listens; undefined: nowhere. */
  url(): string | undefined
}

/** What exists now, as plain data. */
export async function stateOf(sources: StateSources, request: StateRequest): Promise<InstanodeView> {
  const { store, databases, host, clock, contract, url } = sources
  const now = clock.now()
  const existing = (await store.resources()).filter(
    resource => isLive(resource, now) || resource.reapAt !== null || resource.status === 'quota_exceeded',
  )
  return {
    contract,
    mcpUrl: mcpUrl(url()),
    databases: { kind: databases.info.kind, notes: [...databases.info.notes] },
    accounts: (await store.accounts()).map(account => accountState(account, request.secrets)),
    resources: await Promise.all(existing.map(resource => resourceState(resource, sources, request))),
    calls: callsUnderWay(host, now),
  }
}

export function accountState({ id, plan, fixedToken }: Account, secrets: boolean) {
  return { id, plan, token: fixedToken === null || secrets ? fixedToken : '[masked]' }
}

async function resourceState(
  resource: Resource,
  { store, databases, clock, contract, urlOf }: StateSources,
  { secrets, latest }: StateRequest,
): Promise<ResourceState> {
  const { id, token, type, name, tier, status, owner, subnet, createdAt, expiresAt } = resource
  const url = urlOf(resource)
  const kept = type === 'webhook' ? await store.deliveries(token) : undefined
  return {
    id,
    token: secrets ? token : maskedToken(token),
    ...{ type, name, tier, status, owner, subnet },
    url: secrets ? url : maskedUrl(url, token),
    createdAt: iso(createdAt),
    expiresAt: expiresAt === null ? null : iso(expiresAt),
    expiresInMs: expiresAt === null ? null : expiresAt - clock.now(),
    limits: limitsState(resource, contractOf(contract)),
    database: type === 'postgres' ? await databaseState(databases, token) : null,
    deliveries:
      kept === undefined
        ? null
        : {
            kept: kept.length,
            latest: kept.slice(0, latest).map(delivery => describeDelivery(delivery, secrets ? null : token)),
          },
  }
}

function limitsState({ type, tier }: Resource, contract: Contract): ResourceState['limits'] {
  const { storageMb, connections, requestsStored } = limitsOf(tier, contract)
  return type === 'postgres' ? { storageMb, connections } : { requestsStored }
}

async function databaseState(databases: DatabaseProvider, token: string): Promise<ResourceState['database']> {
  const name = databaseName(token)
  try {
    const { sizeBytes, usedBytes, connections, state } = await databases.stats(name)
    return { name, sizeBytes, usedBytes, connections, state }
  } catch {
    // An engine that is down is for /readyz to tell: all else can still be seen.
    return null
  }
}
