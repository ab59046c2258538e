import type { z } from 'zod'
import * as schema from '../http/schemas.js'
import type {
  Abortable,
  AccountToken,
  Caller,
  Claimed,
  InstanodeService,
  Owned,
  Provisioned,
  ProvisionedDatabase,
  ProvisionedReceiver,
  Removed,
} from '../service.js'
import type { ApiClient } from './api-client.js'

/** The service far away, reached by its HTTP API. It keeps nothing here. */
export class RemoteService implements InstanodeService {
  readonly #api: ApiClient

  constructor(api: ApiClient) {
    this.#api = api
  }

  async createPostgres(caller: Caller, name: string, call?: Abortable): Promise<ProvisionedDatabase> {
    const made = await this.#api.send({
      method: 'POST',
      path: '/db/new',
      caller,
      call,
      body: { name },
      answer: schema.provisionedDatabase,
    })
    const { storage_mb, connections, expires_in } = made.limits
    return provisioned(made, made.connection_url, { storageMb: storage_mb, connections }, expires_in)
  }

  async createWebhook(caller: Caller, name: string, call?: Abortable): Promise<ProvisionedReceiver> {
    const made = await this.#api.send({
      method: 'POST',
      path: '/webhook/new',
      caller,
      call,
      body: { name },
      answer: schema.provisionedReceiver,
    })
    const { requests_stored, expires_in } = made.limits
    return provisioned(made, made.receive_url, { requestsStored: requests_stored }, expires_in)
  }

  async list(caller: Caller, call?: Abortable): Promise<Owned[]> {
    const owned = await this.#api.send({
      method: 'GET',
      path: '/api/me/resources',
      caller,
      call,
      // The running service has null for none.
      answer: schema.resourceList.nullable(),
    })
    return (owned ?? []).map(({ id, token, type, name, tier, status, created_at, expires_at }) => ({
      id,
      token,
      type,
      name,
      tier,
      status,
      createdAt: Date.parse(created_at),
      expiresAt: instantOf(expires_at),
    }))
  }

  async claim(caller: Caller, token: string, call?: Abortable): Promise<Claimed> {
    const claimed = await this.#api.send({
      method: 'POST',
      path: '/api/me/claim',
      caller,
      call,
      body: { token },
      answer: schema.claimed,
    })
    const { id, name, tier, status, resource_type } = claimed
    return { id, name, tier, status, type: resource_type, token: claimed.token }
  }

  async remove(caller: Caller, token: string, call?: Abortable): Promise<Removed> {
    const path = `/api/me/resources/${encodeURIComponent(token)}`
    const removed = await this.#api.send({
      method: 'DELETE',
      path,
      caller,
      call,
      answer: schema.removed,
    })
    return { id: removed.id, token: removed.token, message: removed.message }
  }

  async mintToken(caller: Caller, call?: Abortable): Promise<AccountToken> {
    const minted = await this.#api.send({
      method: 'GET',
      path: '/api/me/token',
      caller,
      call,
      answer: schema.minted,
    })
    return { token: minted.token, expiresInSeconds: minted.expires_in }
  }
}

type Made = z.infer<typeof schema.provisionedDatabase> | z.infer<typeof schema.provisionedReceiver>

function provisioned<Limits>(
  { id, token, name, tier, expires_at, note }: Made,
  url: string,
  limits: Limits,
  expiresIn: string | undefined,
): Provisioned<Limits> {
  const expiresAt = instantOf(expires_at ?? null)
  const told = { name: name ?? null, expiresIn: expiresIn ?? null, expiresAt }
  return { id, token, tier, url, limits, note, ...told }
}

function instantOf(timestamp: string | null): number | null {
  return timestamp === null ? null : Date.parse(timestamp)
}
