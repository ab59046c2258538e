import type { Readable, Writable } from 'node:stream'
import type { z } from 'zod'
import type { ContractName } from '../../../shared/contract.js'
import type { Instance } from '../../../shared/instance.js'
import type { McpHost } from '../../../shared/mcp/host.js'
import { type ListenOptions, serveHttp } from '../../../shared/mcp/http/serve.js'
import { readRevisions } from '../../../shared/mcp/revisions.js'
import { StdioConversation } from '../../../shared/mcp/stdio.js'
import { callerOnPipe } from '../callers.js'
import { contractOf } from '../contract.js'
import * as schema from '../http/schemas.js'
import type { InstanodeOptions, StdioIdentity } from '../options.js'
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
import { createMcp } from '../tools/index.js'
import { ApiClient } from './api-client.js'

export interface RemoteOptions {
  /** URL of the service, without a slash at its end. */
  base: string
  /**
   * The contract of the tools. It decides the form of refused calls and the fields of the list. Default
   * `documented`.
   */
  contract?: ContractName
  /** See `InstanodeOptions`. */
  protocol?: InstanodeOptions['protocol']
}

/**
 * Serves Instanode's tools and calls a service behind an HTTP API. This server has no databases, receivers or
 * state of its own.
 */
export class RemoteInstanode {
  readonly #instance: Instance
  readonly #host: McpHost<Caller>
  #stopListening: () => Promise<void> = async () => undefined

  private constructor(instance: Instance, host: McpHost<Caller>) {
    this.#instance = instance
    this.#host = host
  }

  /** Creates a server without a port. Sends no request to the service before the first tool call. */
  static async create(instance: Instance, { base, contract = 'documented', protocol }: RemoteOptions) {
    const host = await createMcp({
      instance,
      revisions: readRevisions(protocol),
      service: new RemoteService(new ApiClient(base, instance.machine)),
      contract: contractOf(contract),
      // Only the service can verify an account token.
      nameOf: ({ bearer }) => (bearer === undefined ? 'anonymous' : 'unverified'),
    })
    return new RemoteInstanode(instance, host)
  }

  /** Serves one client over a pipe. See `Instanode.serveStdio`. */
  serveStdio(
    input: Readable,
    output: Writable,
    { token }: StdioIdentity,
    onEnd: () => void,
  ): { flush(): Promise<void> } {
    const caller = callerOnPipe(token)
    return new StdioConversation({ host: this.#host, caller, input, output, onEnd })
  }

  /**
   * Serves MCP on a port, without the HTTP API.
   *
   * @returns the URL, `http://host:port`
   * @throws Refusal if the port cannot be opened
   */
  async listen(listen: ListenOptions): Promise<string> {
    const serving = await serveHttp({
      instance: this.#instance,
      host: this.#host,
      name: 'instanode',
      ids: this.#instance.ids.stream('instanode sessions'),
      listen,
      handlers: async (_url, mcp) => ({ mcp }),
    })
    this.#stopListening = () => serving.close()
    return serving.url
  }

  /** Ends every MCP conversation and its running requests, and closes the port. */
  async close(): Promise<void> {
    await this.#stopListening()
    await this.#host.close()
  }
}

/** An Instanode service behind its HTTP API. */
class RemoteService implements InstanodeService {
  readonly #api: ApiClient

  constructor(api: ApiClient) {
    this.#api = api
  }

  async createPostgres(caller: Caller, name: string, call?: Abortable): Promise<ProvisionedDatabase> {
    const created = await this.#api.send({
      method: 'POST',
      path: '/db/new',
      caller,
      call,
      body: { name },
      answer: schema.provisionedDatabase,
    })
    const { storage_mb, connections, expires_in } = created.limits
    return provisioned(created, created.connection_url, { storageMb: storage_mb, connections }, expires_in)
  }

  async createWebhook(caller: Caller, name: string, call?: Abortable): Promise<ProvisionedReceiver> {
    const created = await this.#api.send({
      method: 'POST',
      path: '/webhook/new',
      caller,
      call,
      body: { name },
      answer: schema.provisionedReceiver,
    })
    const { requests_stored, expires_in } = created.limits
    return provisioned(created, created.receive_url, { requestsStored: requests_stored }, expires_in)
  }

  async list(caller: Caller, call?: Abortable): Promise<Owned[]> {
    const owned = await this.#api.send({
      method: 'GET',
      path: '/api/me/resources',
      caller,
      call,
      // The real service answers null for an empty list.
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

type CreationAnswer = z.infer<typeof schema.provisionedDatabase> | z.infer<typeof schema.provisionedReceiver>

function provisioned<Limits>(
  { id, token, name, tier, expires_at, note }: CreationAnswer,
  url: string,
  limits: Limits,
  expiresIn: string | undefined,
): Provisioned<Limits> {
  return {
    id,
    token,
    name: name ?? null,
    tier,
    url,
    limits,
    expiresIn: expiresIn ?? null,
    expiresAt: instantOf(expires_at ?? null),
    note,
  }
}

function instantOf(timestamp: string | null): number | null {
  return timestamp === null ? null : Date.parse(timestamp)
}
