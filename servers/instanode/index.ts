import type { Readable, Writable } from 'node:stream'
import type { Client } from '@modelcontextprotocol/sdk/client/index.js'
import type { ContractName } from '../../shared/contract.js'
import type { Instance } from '../../shared/instance.js'
import { McpHost } from '../../shared/mcp/host.js'
import { type ListenOptions, serveHttp } from '../../shared/mcp/http/serve.js'
import { StdioConversation } from '../../shared/mcp/stdio.js'
import { mountTools } from '../../shared/mcp/tool-server.js'
import { VERSION } from '../../shared/version.js'
import { identify, LOCAL_ADDRESS } from './caller.js'
import { type Contract, contractOf } from './contract.js'
import { type Core, createCore } from './core.js'
import type { DatabaseProvider } from './databases/provider.js'
import type { Account } from './domain/account.js'
import type { Delivery } from './domain/delivery.js'
import { type DatabasesOptions, openDatabases } from './open-databases.js'
import { RestFace } from './rest/face.js'
import { ReceiveRoute } from './rest/receive.js'
import type { Caller } from './service.js'
import { createTools } from './tools/index.js'
import { refusalText } from './tools/refusal-text.js'

/** The base of receive URLs of a server that listens nowhere: where `understudy up` has Instanode. */
export const DEFAULT_BASE = 'http://127.0.0.1:4801'

/** `serverInfo.name` of the real service. */
const SERVER_NAME = 'instanode.dev'

export interface InstanodeOptions extends DatabasesOptions {
  /** Default `documented`. */
  contract?: ContractName
}

export interface InstanodeListenOptions extends ListenOptions {
  /** Whether MCP is served there too, beside the receivers. Default true. */
  mcp?: boolean
}

/** The Instanode stand-in: one service, whose tools are reached over HTTP, stdio or in memory. */
export class Instanode {
  readonly #instance: Instance
  readonly #contract: Contract
  readonly #core: Core
  readonly #host: McpHost<Caller>
  readonly #onClose: (() => Promise<void> | void)[] = []
  #base = DEFAULT_BASE
  #connections = 0

  private constructor(instance: Instance, options: InstanodeOptions, databases: DatabaseProvider) {
    this.#instance = instance
    this.#contract = contractOf(options.contract ?? 'documented')
    this.#core = createCore(
      instance,
      this.#contract,
      databases,
      token => `${this.#base}/webhook/receive/${token}`,
    )
    this.#host = new McpHost({
      name: 'instanode',
      instance,
      identify,
      nameOf: caller => this.#core.accounts.nameOf(caller.bearer),
      onError: error => instance.log.warn('a message could not be handled', error),
    })
  }

  /**
   * A server that listens nowhere yet.
   *
   * @throws Refusal if there can be no databases
   */
  static async create(instance: Instance, options: InstanodeOptions = {}): Promise<Instanode> {
    const { databases, close } = await openDatabases(instance, options)
    const instanode = new Instanode(instance, options, databases)
    instanode.#onClose.push(close)
    await instanode.#start()
    return instanode
  }

  /**
   * A server on an HTTP port.
   *
   * @throws Refusal if it cannot listen there, or if there can be no databases
   */
  static async listen(
    instance: Instance,
    listen: InstanodeListenOptions = {},
    options: InstanodeOptions = {},
  ): Promise<{ instanode: Instanode; url: string }> {
    const { host: databaseHost } = listen
    const instanode = await Instanode.create(instance, { ...(databaseHost && { databaseHost }), ...options })
    try {
      return { instanode, url: await instanode.#listen(listen) }
    } catch (error) {
      await instanode.close()
      throw error
    }
  }

  /** An SDK client in this process, initialized. `address` is where it calls from, for the daily cap. */
  async connect({ token, address }: { token?: string; address?: string } = {}): Promise<Client> {
    // The client half of the SDK is of no use to a stdio server, which has to start fast.
    const { connectInMemory } = await import('../../shared/mcp/memory.js')
    return connectInMemory(this.#host, `memory-${++this.#connections}`, {
      ...(token !== undefined && { authorization: `Bearer ${token}` }),
      ...(address !== undefined && { 'x-forwarded-for': address }),
    })
  }

  /**
   * Serves one client over a pipe.
   *
   * @param identity the account token the client brings, if any
   * @param onEnd the client has closed its end
   */
  serveStdio(
    input: Readable,
    output: Writable,
    { token }: { token?: string | undefined },
    onEnd: () => void,
  ): { flush(): Promise<void> } {
    const caller: Caller = { bearer: token?.trim() || undefined, address: LOCAL_ADDRESS }
    return new StdioConversation({ host: this.#host, caller, input, output, onEnd })
  }

  /** The accounts there are. */
  accounts(): Promise<Account[]> {
    return this.#core.accounts.all()
  }

  /** What a receiver has taken, the newest first. */
  deliveries(token: string): Promise<Delivery[]> {
    return this.#core.receivers.deliveries(token)
  }

  /** Calls `listener` for every delivery from now on, until the returned function is called. */
  onDelivery(listener: (token: string, delivery: Delivery) => void): () => void {
    return this.#core.receivers.onDelivery(listener)
  }

  /** Ends every conversation, and the databases with it that are this server's own. */
  async close(): Promise<void> {
    await this.#core.reaper.stop()
    for (const close of this.#onClose.toReversed()) await close()
    await this.#host.close()
    await this.#core.store.close()
  }

  async #start(): Promise<void> {
    const { service, reaper } = this.#core
    await this.#core.settle()
    await reaper.resume()
    await mountTools({
      name: SERVER_NAME,
      version: VERSION,
      tools: createTools({ service, contract: this.#contract }),
      host: this.#host,
      log: this.#instance.log,
      refusal: refusalText,
    })
  }

  async #listen({ mcp = true, ...listen }: InstanodeListenOptions): Promise<string> {
    const { ids, log } = this.#instance
    const rest = new RestFace(new ReceiveRoute(this.#core.receivers, this.#contract), log)
    const serving = await serveHttp({
      instance: this.#instance,
      host: this.#host,
      name: 'instanode',
      ids: ids.stream('instanode sessions'),
      listen,
      faces: async (url, endpoint) => {
        this.#base = url
        return { mcp: mcp ? endpoint : rest, rest }
      },
    })
    this.#onClose.push(() => serving.close())
    return serving.url
  }
}
