import type { Client } from '@modelcontextprotocol/sdk/client/index.js'
import type { Clock } from '../../../shared/clock/clock.js'
import { Refusal } from '../../../shared/errors.js'
import type { JournalEntry } from '../../../shared/journal/entry.js'
import type { ServerName } from '../../../shared/util/known-tools.js'
import { KNOWN_TOOLS, knownTool } from '../../gateway/policy/known-tools.js'
import { createUnderstudy, type Understudy } from '../../understudy/understudy.js'
import { Props, resolved } from './fixtures.js'

export interface StageOptions {
  /** Those that take part. */
  servers: readonly ServerName[]
  /** Default: free ones. A gateway that runs already has to know them. */
  ports?: { instanode: number; safebot: number }
}

/** Both stand-ins on a manual clock, what a scenario needs of them, and what reached them. */
export class Stage {
  readonly servers: readonly ServerName[]
  readonly #understudy: Understudy
  readonly #props: Props
  readonly #kept = new Map<string, unknown>()
  readonly #calls: JournalEntry[] = []
  #hasDatabase = false

  private constructor(understudy: Understudy, servers: readonly ServerName[]) {
    this.#understudy = understudy
    this.servers = servers
    this.#props = new Props(understudy)
    understudy.journal.subscribe(entry => {
      // Told again as it ends.
      if (entry.outcome === undefined && entry.method === 'tools/call' && entry.transport === 'http')
        this.#calls.push(entry)
    })
  }

  /** @throws Refusal for a port that is taken */
  static async open({ servers, ports }: StageOptions): Promise<Stage> {
    const understudy = await createUnderstudy({
      clock: 'manual',
      seed: 'rehearse',
      ...(ports !== undefined && { instanodePort: ports.instanode, safebotPort: ports.safebot }),
    })
    return new Stage(understudy, servers)
  }

  get clock(): Clock {
    return this.#understudy.clock
  }

  /** The machine's time, for whatever waits on a gateway. */
  get machine(): Clock {
    return this.#understudy.instance.machine
  }

  upstream(server: ServerName): string {
    return this.#understudy[server].mcpUrl
  }

  /** The server that a tool is called on: one of another's goes to the first. */
  serverOf(tool: string): ServerName {
    const [first = 'instanode'] = this.servers
    const own = knownTool(tool)?.server
    return own !== undefined && this.servers.includes(own) ? own : first
  }

  /** The names of the tools a server really lists. */
  genuineTools(server: ServerName): string[] {
    return Object.keys(KNOWN_TOOLS).filter(tool => knownTool(tool)?.server === server)
  }

  /** Has later steps know a result by a name. */
  keep(name: string, result: unknown): void {
    this.#kept.set(name, result)
  }

  /**
   * Arguments as they are sent: what they refer to is prepared, or was kept.
   *
   * @throws Refusal `unknown_reference`
   */
  async resolve(tool: string, args: unknown, caller: string): Promise<unknown> {
    const prepared = await this.#props.prepare({ tool, args, caller })
    return resolved(
      args,
      name => this.#kept.get(name) ?? prepared.get(name),
      reference => {
        const known = [...Props.names, ...this.#kept.keys()].map(name => `$${name}`).join(', ')
        throw new Refusal('unknown_reference', `${reference} stands for nothing here`, `there are ${known}`)
      },
    )
  }

  /** What references stand for, as examples for whoever plans by them. */
  examples(): Promise<ReadonlyMap<string, unknown>> {
    const args = Props.names.map(name => `$${name}`)
    return this.#props.prepare({ tool: 'ack_task', args, caller: 'agent' })
  }

  /** Where the record of calls stands: what comes later is behind it. */
  mark(): number {
    return this.#calls.length
  }

  /** The calls that came over the network since a mark; what the stage itself prepares comes in memory. */
  reached(mark: number): readonly JournalEntry[] {
    return this.#calls.slice(mark)
  }

  /** One live database shows what there is to show: making more would take longer than all else. */
  databaseMade(): void {
    if (this.#hasDatabase) return
    this.#hasDatabase = true
    const text = 'create_postgres failed: one database is all that this rehearsal makes'
    this.#understudy.faults.set([
      { server: 'instanode', tool: 'create_postgres', when: { always: true }, do: { toolError: text } },
    ])
  }

  /** A client of a server, past any gateway. */
  direct(server: ServerName): Promise<Client> {
    return this.#understudy[server].connect()
  }

  async close(): Promise<void> {
    await this.#props.close()
    await this.#understudy.close()
  }
}
