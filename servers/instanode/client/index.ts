import type { Readable, Writable } from 'node:stream'
import type { ContractName } from '../../../shared/contract.js'
import { notFound } from '../../../shared/http/not-found.js'
import type { Instance } from '../../../shared/instance.js'
import type { McpHost } from '../../../shared/mcp/host.js'
import { type ListenOptions, serveHttp } from '../../../shared/mcp/http/serve.js'
import { StdioConversation } from '../../../shared/mcp/stdio.js'
import { callerOnPipe } from '../callers.js'
import { contractOf } from '../contract.js'
import type { StdioIdentity } from '../options.js'
import type { Caller } from '../service.js'
import { createMcp } from '../tools/index.js'
import { ApiClient } from './api-client.js'
import { RemoteService } from './remote-service.js'

export interface RemoteOptions {
  /** Base URL of the service, without a slash at its end. */
  base: string
  /** How refused calls look, and what a listing has. Default `documented`. */
  contract?: ContractName
}

/** Instanode's tools as a client of a service that runs elsewhere: no databases, no receivers, no state of its own. */
export class RemoteInstanode {
  readonly #instance: Instance
  readonly #host: McpHost<Caller>
  #stopListening: () => Promise<void> = async () => undefined

  private constructor(instance: Instance, host: McpHost<Caller>) {
    this.#instance = instance
    this.#host = host
  }

  /** A server that listens nowhere yet. The service is first asked when a tool is called. */
  static async create(instance: Instance, { base, contract = 'documented' }: RemoteOptions) {
    const host = await createMcp({
      instance,
      service: new RemoteService(new ApiClient(base, instance.machine)),
      contract: contractOf(contract),
      // Only the service can tell whose token it is.
      nameOf: ({ bearer }) => (bearer === undefined ? 'anonymous' : 'unverified'),
    })
    return new RemoteInstanode(instance, host)
  }

  /** Serves one client over a pipe; see `Instanode.serveStdio`. */
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
   * Serves MCP, and nothing else, on a port.
   *
   * @returns `http://host:port`
   * @throws Refusal if it cannot listen there
   */
  async listen(listen: ListenOptions): Promise<string> {
    const serving = await serveHttp({
      instance: this.#instance,
      host: this.#host,
      name: 'instanode',
      ids: this.#instance.ids.stream('instanode sessions'),
      listen,
      faces: async (_url, mcp) => ({ mcp, rest: notFound }),
    })
    this.#stopListening = () => serving.close()
    return serving.url
  }

  /** Ends every conversation, and with it the requests that are under way. */
  async close(): Promise<void> {
    await this.#stopListening()
    await this.#host.close()
  }
}
