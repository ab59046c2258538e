import type { Client } from '@modelcontextprotocol/sdk/client/index.js'
import { CallToolResultSchema } from '@modelcontextprotocol/sdk/types.js'
import type { Journal } from '../../index.js'
import { Called } from './called.js'
import { connect, type Reach } from './connect.js'
import { witnessed } from './witness.js'

/** A scripted agent at one gateway. */
export class Agent {
  readonly #client: Client
  readonly #journal: Journal

  private constructor(client: Client, journal: Journal) {
    this.#client = client
    this.#journal = journal
  }

  /** @param journal of the servers behind the gateway */
  static async at(reach: Reach, journal: Journal): Promise<Agent> {
    return new Agent(await connect(reach), journal)
  }

  /** Calls a tool, whatever comes of it. */
  async call(tool: string, args: Record<string, unknown> = {}): Promise<Called> {
    const asking = async () =>
      CallToolResultSchema.parse(await this.#client.callTool({ name: tool, arguments: args }))
    const { result, entries } = await witnessed(this.#journal, asking)
    return new Called(tool, result, entries)
  }

  /** The names of the tools it is shown. */
  async tools(): Promise<string[]> {
    return (await this.#client.listTools()).tools.map(({ name }) => name)
  }

  close(): Promise<void> {
    return this.#client.close()
  }
}
