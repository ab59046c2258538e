import type { Clock } from '../../shared/clock/clock.js'
import type { ContractName } from '../../shared/contract.js'
import type { ControlledInstanode, Gauge, StateRequest } from '../../shared/instance.js'
import type { McpHost } from '../../shared/mcp/host.js'
import { busyGauge, callsUnderWay, mcpUrl, reached } from '../../shared/mcp/server-view.js'
import { iso } from '../../shared/schemas/instant.js'
import { beginningOf, maskHeaders } from '../../shared/util/secrets.js'
import { type Contract, contractOf } from './contract.js'
import type { DatabaseProvider } from './databases/provider.js'
import type { LocalService } from './domain/local-service.js'
import { type Account, type Delivery, databaseName, isLive, type Resource } from './domain/model.js'
import { tierLimits } from './limits.js'
import type { Caller } from './service.js'
import type { InstanodeView } from './view.js'

/** Number of characters of a delivery's body that the state shows. */
const SHOWN_BODY_CHARS = 2000

export interface ControlledOptions extends StateSources {
  /** Returns whether the server's port accepts connections. Undefined: the server has no port. */
  listening(): boolean | undefined
}

/**
 * Returns the functions that the control plane calls on this server: state, checks, gauges and plan changes.
 */
export function controlled({ listening, ...sources }: ControlledOptions): ControlledInstanode<InstanodeView> {
  const { local, host, clock } = sources
  const { store, readiness, plans } = local
  return {
    state: request => stateOf(sources, request),
    async checks() {
      const { platform_db, customer_db, redis } = await readiness.reasons()
      return {
        ...(await reached(host, listening())),
        store: platform_db,
        databases: customer_db,
        deliveries: redis,
      }
    },
    gauges: async () => [busyGauge(host), ...resourceGauges(await store.resources(), clock.now())],
    // The caller names the account itself, so the answer shows the account's token without a mask.
    setPlan: async (accountId, plan) => accountState(await plans.change(accountId, plan), false),
  }
}

function resourceGauges(resources: readonly Resource[], now: number): Gauge[] {
  const counts = new Map<string, Gauge>()
  let live = 0
  for (const resource of resources) {
    const { type, tier, status } = resource
    if (type === 'postgres' && isLive(resource, now)) live++
    const labels = { type, tier, status }
    const key = Object.values(labels).join()
    const counted = counts.get(key) ?? { name: 'resources', about: 'Resources ever made', labels, value: 0 }
    counted.value++
    counts.set(key, counted)
  }
  return [...counts.values(), { name: 'databases_live', about: 'Databases in use', labels: {}, value: live }]
}

type ResourceState = InstanodeView['resources'][number]

interface StateSources {
  local: LocalService
  host: McpHost<Caller>
  clock: Clock
  contract: ContractName
  /** Returns the URL of the server. Undefined: the server has no port. */
  url(): string | undefined
}

/** Returns the current state of the server as plain data, for `GET /state` of the control plane. */
async function stateOf(sources: StateSources, request: StateRequest): Promise<InstanodeView> {
  const { local, host, clock, contract, url } = sources
  const { store, databases } = local
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

function accountState({ id, plan, fixedToken }: Account, secrets: boolean) {
  return { id, plan, token: fixedToken === null || secrets ? fixedToken : '[masked]' }
}

async function resourceState(
  resource: Resource,
  { local, clock, contract }: StateSources,
  { secrets, latest }: StateRequest,
): Promise<ResourceState> {
  const { id, token, type, name, tier, status, owner, subnet, createdAt, expiresAt } = resource
  const { store, databases } = local
  const url = local.urlOf(resource)
  const stored = type === 'webhook' ? await store.deliveries(token) : undefined
  return {
    id,
    token: secrets ? token : maskedToken(token),
    type,
    name,
    tier,
    status,
    owner,
    subnet,
    url: secrets ? url : maskedUrl(url, token),
    createdAt: iso(createdAt),
    expiresAt: expiresAt === null ? null : iso(expiresAt),
    expiresInMs: expiresAt === null ? null : expiresAt - clock.now(),
    limits: limitsState(resource, contractOf(contract)),
    database: type === 'postgres' ? await databaseState(databases, token) : null,
    deliveries:
      stored === undefined
        ? null
        : {
            kept: stored.length,
            latest: stored
              .slice(0, latest)
              .map(delivery => describeDelivery(delivery, secrets ? null : token)),
          },
  }
}

function limitsState({ type, tier }: Resource, contract: Contract): ResourceState['limits'] {
  const { storageMb, connections, requestsStored } = tierLimits(tier, contract)
  return type === 'postgres' ? { storageMb, connections } : { requestsStored }
}

async function databaseState(databases: DatabaseProvider, token: string): Promise<ResourceState['database']> {
  const name = databaseName(token)
  try {
    const { sizeBytes, usedBytes, connections, state } = await databases.stats(name)
    return { name, sizeBytes, usedBytes, connections, state }
  } catch {
    // The state shows null for a database that does not answer. `/readyz` reports the reason.
    return null
  }
}

type DeliveryState = NonNullable<InstanodeView['resources'][number]['deliveries']>['latest'][number]

/** Masks a token. The first 8 characters stay, which distinguish resources and are not enough for a claim. */
function maskedToken(token: string): string {
  return `${token.slice(0, 8)}-[masked]`
}

/** Masks the secret in the URL of a resource: the password of a database, or the token of a receiver. */
function maskedUrl(url: string, token: string): string {
  return url.replace(token, maskedToken(token)).replace(/^(\w+:\/\/[^:/@]+:)[^@]+@/, '$1[masked]@')
}

/**
 * Describes a delivery for the state of the server.
 *
 * @param hidden the token to mask. With null, all secrets of the delivery are shown.
 */
export function describeDelivery(delivery: Delivery, hidden: string | null): DeliveryState {
  const { id, method, path, query, rawHeaders, body, receivedAt } = delivery
  return {
    id,
    method,
    path: hidden === null ? path : path.replaceAll(hidden, maskedToken(hidden)),
    query,
    headers: headersOf(rawHeaders, hidden === null),
    body: beginningOf(body.toString('utf8'), SHOWN_BODY_CHARS),
    bodyBytes: body.length,
    receivedAt: iso(receivedAt),
  }
}

/**
 * Returns headers with names in lower case. The values of a repeated header are joined by commas.
 *
 * @param raw names and values in turn
 * @param secrets false: masks the values of headers that carry credentials
 */
function headersOf(raw: readonly string[], secrets: boolean): Record<string, string> {
  const headers: Record<string, string> = {}
  for (let at = 0; at < raw.length; at += 2) {
    const name = raw[at]?.toLowerCase() ?? ''
    const value = raw[at + 1] ?? ''
    headers[name] = headers[name] === undefined ? value : `${headers[name]}, ${value}`
  }
  if (secrets) return headers
  return Object.fromEntries(
    Object.entries(maskHeaders(headers)).map(([name, value]) => [name, String(value)]),
  )
}
