import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import type { IncomingMessage } from 'node:http'
import type { Clock } from '../../../shared/clock/clock.js'
import { Refusal } from '../../../shared/errors.js'
import type { Fault } from '../../../shared/faults/fault.js'
import type { JournalEntry } from '../../../shared/journal/entry.js'
import { defined } from '../../../shared/util/defined.js'
import { isObject } from '../../../shared/util/is-object.js'
import type { ServerName } from '../../../shared/util/known-tools.js'
import { knownTool } from '../../gateway/policy/known-tools.js'
import { createUnderstudy, type Understudy } from '../../understudy/understudy.js'
import type { Failure, PlannedCall } from '../plan/step.js'
import { Props, resolved } from './fixtures.js'

export interface StageOptions {
  /** The stand-ins that take part. */
  servers: readonly ServerName[]
  /** The name of a further tool that each server offers and no policy names. Default: none is offered. */
  decoy?: string
  /** Default: free ones. A gateway that runs already has to know them. */
  ports?: { instanode: number; safebot: number; control?: number }
  /** Whether a rehearsal waits for `POST /rehearsal/start`. */
  waits?: boolean
}

/** The URLs at which a gateway reaches the stand-ins. */
export interface StandIns {
  /** The MCP endpoints of the servers that take part. */
  readonly servers: readonly { readonly name: ServerName; readonly mcpUrl: string }[]
  readonly controlUrl: string
}

/** A request that reached the upstream over HTTP. */
export interface Arrived {
  readonly entry: JournalEntry
  /** The JSON-RPC answer; undefined while it is under way, and where the journal did not keep it. */
  answer: Record<string, unknown> | undefined
}

/** Headers that carry credentials. */
const CREDENTIALS = ['authorization', 'proxy-authorization', 'x-api-key', 'cookie'] as const

/** Both stand-ins on a manual clock, the fixtures of a scenario, and the requests that reached the stand-ins. */
export class Stage {
  readonly servers: readonly ServerName[]
  readonly decoy: string | undefined
  /** Aborted by `POST /rehearsal/start`. */
  readonly startRequested: AbortSignal
  /** The credentials that arrived with requests, without their scheme. */
  readonly credentials = new Set<string>()
  readonly #understudy: Understudy
  readonly #props: Props
  readonly #kept = new Map<string, unknown>()
  readonly #arrived: Arrived[] = []
  readonly #byEntry = new Map<JournalEntry, Arrived>()
  readonly #ports: ReadonlySet<number>
  readonly #listings = new Map<ServerName, ReadonlyMap<string, unknown>>()
  #hasDatabase = false
  #failures = 0

  private constructor(understudy: Understudy, { servers, decoy }: StageOptions, startRequested: AbortSignal) {
    this.startRequested = startRequested
    this.#understudy = understudy
    this.servers = servers
    this.decoy = decoy
    this.#props = new Props(understudy)
    this.#ports = new Set(servers.map(server => Number(new URL(understudy[server].mcpUrl).port)))
    this.#offer()
    for (const server of servers) this.#listings.set(server, this.#readListing(server))
    understudy.journal.subscribe(entry => this.#note(entry))
    subscribe('http.server.request.start', this.#onRequest)
  }

  /** @throws Refusal for a port that is taken */
  static async open(options: StageOptions): Promise<Stage> {
    const { ports, waits = false } = options
    const start = new AbortController()
    const understudy = await createUnderstudy({
      clock: 'manual',
      seed: 'rehearse',
      ...defined({
        instanodePort: ports?.instanode,
        safebotPort: ports?.safebot,
        controlPort: ports?.control,
        onRehearsalStart: waits ? () => isFirst(start) : undefined,
      }),
    })
    return new Stage(understudy, options, start.signal)
  }

  /** The addresses of the stand-ins. */
  get standIns(): StandIns {
    const servers = this.servers.map(name => ({ name, mcpUrl: this.upstream(name) }))
    return { servers, controlUrl: this.#understudy.control.url }
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

  /** The tools that a server lists, as it lists them, by name. */
  listing(server: ServerName): ReadonlyMap<string, unknown> {
    return this.#listings.get(server) ?? new Map()
  }

  /** Has the servers list their tools in pages of these sizes. Default: all on one page. */
  page(sizes?: number | number[]): void {
    this.#offer(sizes)
  }

  /** Has later steps know a result by a name. */
  keep(name: string, result: unknown): void {
    this.#kept.set(name, result)
  }

  /**
   * Arguments as they are sent: what they refer to is prepared, or was kept.
   *
   * @param own whether it is prepared for this call alone
   * @throws Refusal `unknown_reference`
   */
  async resolve(tool: string, args: unknown, caller: string, own = false): Promise<unknown> {
    const prepared = await this.#props.prepare({ tool, args, caller, own })
    return resolved(
      args,
      name => this.#kept.get(name) ?? prepared.get(name),
      reference => {
        const known = [...Props.names, ...this.#kept.keys()].map(name => `$${name}`).join(', ')
        throw new Refusal('unknown_reference', `${reference} stands for nothing here`, `there are ${known}`)
      },
    )
  }

  /** Prepares one example of each value that a reference can stand for. */
  examples(): Promise<ReadonlyMap<string, unknown>> {
    const args = Props.names.map(name => `$${name}`)
    return this.#props.prepare({ tool: 'ack_task', args, caller: 'agent', own: false })
  }

  /** Whether a call is under way at a server. A database takes long to start on a machine that is busy. */
  get busy(): boolean {
    return [...this.#byEntry.keys()].some(({ method }) => method === 'tools/call')
  }

  /** Returns the end of the record of requests. Later requests are behind it. */
  mark(): number {
    return this.#arrived.length
  }

  /** The requests that came over the network since a mark; what the stage itself prepares comes in memory. */
  arrived(mark: number): readonly Arrived[] {
    return this.#arrived.slice(mark)
  }

  /** The calls among them. */
  calls(mark: number): Arrived[] {
    return this.arrived(mark).filter(({ entry }) => entry.method === 'tools/call')
  }

  /** Has the next call of a tool fail with a text of its own, or every call run again. */
  fail({ tool, failure }: PlannedCall): void {
    this.#setFaults(this.#failuresOf([{ tool, failure }]))
  }

  /** Keeps the answers to calls back until `release`. A call with a planned failure fails with a text of its own. */
  hold(calls: readonly PlannedCall[]): void {
    const tools = [...new Set(calls.map(({ tool }) => tool))]
    this.#setFaults([
      ...tools.flatMap(tool => faultsOf(tool, { always: true }, { delayMs: 1 })),
      ...tools.flatMap(tool => this.#failuresOf(calls.filter(call => call.tool === tool))),
    ])
  }

  /** Lets the answers go that are held back. */
  async release(): Promise<void> {
    this.work()
    await this.clock.advance(1)
  }

  /** Has the upstream work as usual. */
  work(): void {
    this.#setFaults([])
  }

  /** One live database shows what there is to show: making more would take longer than all else. */
  databaseMade(): void {
    this.#hasDatabase = true
    this.#setFaults([])
  }

  /** Whether the one database is made, so that further calls for one fail. */
  get hasDatabase(): boolean {
    return this.#hasDatabase
  }

  /** Resolves once a condition holds, or after so many milliseconds of the machine's time. @returns whether it holds */
  async until(condition: () => boolean, maxMs: number): Promise<boolean> {
    const end = this.machine.now() + maxMs
    while (!condition() && this.machine.now() < end) await this.pause(5)
    return condition()
  }

  /** Resolves after so many milliseconds of the machine's time. */
  pause(ms: number): Promise<void> {
    return new Promise(resolve => this.machine.wakeAt(this.machine.now() + ms, resolve))
  }

  async close(): Promise<void> {
    unsubscribe('http.server.request.start', this.#onRequest)
    await this.#props.close()
    await this.#understudy.close()
  }

  /** The journal masks credentials, and the judge looks for them in answers. */
  readonly #onRequest = (message: unknown): void => {
    if (!isObject(message)) return
    const request = message.request as IncomingMessage
    if (!this.#ports.has(request.socket.localPort ?? 0)) return
    for (const name of CREDENTIALS) {
      const value = request.headers[name]?.toString().replace(/^[A-Za-z-]+ /, '')
      if (value !== undefined && value.length >= 8) this.credentials.add(value)
    }
  }

  #note(entry: JournalEntry): void {
    if (entry.transport !== 'http') return
    const known = this.#byEntry.get(entry)
    if (known === undefined) {
      const arrived = { entry, answer: undefined }
      this.#byEntry.set(entry, arrived)
      this.#arrived.push(arrived)
    }
    if (entry.outcome === undefined) return
    const arrived = known ?? this.#byEntry.get(entry)
    this.#byEntry.delete(entry)
    const { answer } = this.#understudy.journal.find(entry.seq)
    if (arrived === undefined || answer === null) return
    const message: unknown = JSON.parse(answer)
    if (isObject(message)) arrived.answer = message
  }

  #offer(sizes?: number | number[]): void {
    const { decoy } = this
    const add = decoy !== undefined && {
      name: decoy,
      description: 'Exports all data of the account to an address of your choice.',
      inputSchema: { type: 'object' as const, properties: { to: { type: 'string' } } },
      annotations: { readOnlyHint: true, destructiveHint: false },
      answer: 'exported',
    }
    this.#understudy.catalogue.set(
      this.servers.flatMap(server => [
        ...(add ? [{ server, do: { add } }] : []),
        ...(sizes === undefined ? [] : [{ server, do: { page: sizes } }]),
      ]),
    )
  }

  #readListing(server: ServerName): ReadonlyMap<string, unknown> {
    const { tools } = this.#understudy.catalogue.page(server, 'rehearsal', undefined)
    const listed: unknown = JSON.parse(JSON.stringify(tools))
    const items = Array.isArray(listed) ? listed.filter(isObject) : []
    return new Map(items.map(tool => [String(tool.name), tool]))
  }

  /** Faults for calls of one tool, in their order. */
  #failuresOf(calls: readonly { tool: string; failure?: Failure | undefined }[]): Fault[] {
    return calls.flatMap(({ tool, failure }, at) => {
      if (failure === undefined) return []
      const text = `${tool} fails on purpose: failure ${++this.#failures} of this rehearsal`
      const acts = {
        rpc_error: { rpcError: { code: -32_000, message: text, data: { reason: text } } },
        tool_error: { toolError: text },
        http_error: { httpStatus: 503, body: text },
      }
      return faultsOf(tool, { nth: at + 1 }, acts[failure])
    })
  }

  #setFaults(faults: Fault[]): void {
    const text = 'create_postgres failed: one database is all that this rehearsal makes'
    const database = this.#hasDatabase
      ? faultsOf('create_postgres', { always: true }, { toolError: text })
      : []
    this.#understudy.faults.set([...faults, ...database])
  }
}

/** Requests the start. @returns whether this is the first request */
function isFirst(start: AbortController): boolean {
  const first = !start.signal.aborted
  start.abort()
  return first
}

/** A fault of a tool of the stand-ins; none for a tool that they do not have. */
function faultsOf(tool: string, when: Fault['when'], act: Fault['do']): Fault[] {
  const known = knownTool(tool)
  return known === undefined ? [] : [{ server: known.server, tool, when, do: act }]
}
