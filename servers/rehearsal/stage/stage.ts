import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import type { IncomingMessage } from 'node:http'
import type { Clock } from '../../../shared/clock/clock.js'
import { Refusal } from '../../../shared/errors.js'
import type { Fault } from '../../../shared/faults/fault.js'
import type { JournalEntry } from '../../../shared/journal/entry.js'
import type { ServerName } from '../../../shared/util/known-tools.js'
import { defined, isObject } from '../../../shared/util/objects.js'
import { knownTool } from '../../gateway/policy/known-tools.js'
import { createUnderstudy, type Understudy } from '../../understudy/understudy.js'
import type { Failure, PlannedCall } from '../plan/step.js'
import { PreparedValues, resolved } from './fixtures.js'

export interface StageOptions {
  /** The stand-ins that take part. */
  servers: readonly ServerName[]
  /**
   * The name of an additional tool that each server lists and that the policy does not name. Default: no
   * additional tool.
   */
  decoy?: string
  /** Ports of the stand-ins. A gateway that already runs needs fixed ports. Default: free ports. */
  ports?: { instanode: number; safebot: number; control?: number }
  /** Whether the rehearsal waits for `POST /rehearsal/start`. */
  waits?: boolean
}

/** The URLs of the stand-ins, for the configuration of a gateway. */
export interface StandIns {
  /** The MCP endpoints of the servers that take part. */
  readonly servers: readonly { readonly name: ServerName; readonly mcpUrl: string }[]
  readonly controlUrl: string
}

/** A request that reached the upstream over HTTP. */
export interface Arrived {
  readonly entry: JournalEntry
  /** The JSON-RPC answer. Undefined until the request ends. Stays undefined if the journal has no answer. */
  answer: Record<string, unknown> | undefined
}

/** Headers that carry credentials. */
const CREDENTIALS = ['authorization', 'proxy-authorization', 'x-api-key', 'cookie'] as const

/**
 * Runs both stand-ins on a manual clock, prepares values for calls, and records the requests that reach the
 * stand-ins.
 */
export class Stage {
  readonly servers: readonly ServerName[]
  readonly decoy: string | undefined
  /** Aborted by `POST /rehearsal/start`. */
  readonly startRequested: AbortSignal
  /** The credentials that arrived in request headers, without a scheme such as `Bearer`. */
  readonly credentials = new Set<string>()
  readonly #understudy: Understudy
  readonly #preparedValues: PreparedValues
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
    this.#preparedValues = new PreparedValues(understudy)
    this.#ports = new Set(servers.map(server => Number(new URL(understudy[server].mcpUrl).port)))
    this.#offer()
    for (const server of servers) this.#listings.set(server, this.#readListing(server))
    understudy.journal.subscribe(entry => this.#note(entry))
    subscribe('http.server.request.start', this.#onRequest)
  }

  /** Starts the stand-ins. @throws Refusal for a port that is in use */
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

  /** The URLs of the stand-ins that take part. */
  get standIns(): StandIns {
    const servers = this.servers.map(name => ({ name, mcpUrl: this.upstream(name) }))
    return { servers, controlUrl: this.#understudy.control.url }
  }

  get clock(): Clock {
    return this.#understudy.clock
  }

  /** The clock of machine time. Waits for a gateway use this clock. */
  get machine(): Clock {
    return this.#understudy.instance.machine
  }

  upstream(server: ServerName): string {
    return this.#understudy[server].mcpUrl
  }

  /**
   * Returns the server that has a tool. If no server of the rehearsal has the tool, returns the first server.
   */
  serverOf(tool: string): ServerName {
    const [first = 'instanode'] = this.servers
    const own = knownTool(tool)?.server
    return own !== undefined && this.servers.includes(own) ? own : first
  }

  /** Returns the tools that a server lists, by name. */
  listing(server: ServerName): ReadonlyMap<string, unknown> {
    return this.#listings.get(server) ?? new Map()
  }

  /**
   * Makes the servers list their tools in pages.
   *
   * @param sizes number of tools on each page. Default: all tools on one page
   */
  page(sizes?: number | number[]): void {
    this.#offer(sizes)
  }

  /** Keeps a result under a name. Later steps can use the name in references. */
  keep(name: string, result: unknown): void {
    this.#kept.set(name, result)
  }

  /**
   * Replaces the references in arguments by prepared or kept values.
   *
   * @param own whether the values are prepared anew for this call
   * @throws Refusal `unknown_reference` for a reference without a value
   */
  async resolve(tool: string, args: unknown, caller: string, own = false): Promise<unknown> {
    const prepared = await this.#preparedValues.prepare({ tool, args, caller, own })
    return resolved(
      args,
      name => this.#kept.get(name) ?? prepared.get(name),
      reference => {
        const known = [...PreparedValues.names, ...this.#kept.keys()].map(name => `$${name}`).join(', ')
        throw new Refusal(
          'unknown_reference',
          `${reference} refers to no value`,
          `the known references are ${known}`,
        )
      },
    )
  }

  /** Prepares one example of each value, by the name in references. */
  examples(): Promise<ReadonlyMap<string, unknown>> {
    const args = PreparedValues.names.map(name => `$${name}`)
    return this.#preparedValues.prepare({ tool: 'ack_task', args, caller: 'agent', own: false })
  }

  /**
   * Whether a stand-in is working on a tool call. For example, a database starts slowly on a busy machine.
   */
  get busy(): boolean {
    return [...this.#byEntry.keys()].some(({ method }) => method === 'tools/call')
  }

  /** Returns the number of requests that have been recorded. `arrived` and `calls` accept it as a mark. */
  mark(): number {
    return this.#arrived.length
  }

  /**
   * Returns the requests that arrived over HTTP after a mark. The calls that the stage itself makes do not
   * use HTTP, and are left out.
   */
  arrived(mark: number): readonly Arrived[] {
    return this.#arrived.slice(mark)
  }

  /** Returns the tool calls that arrived over HTTP after a mark. */
  calls(mark: number): Arrived[] {
    return this.arrived(mark).filter(({ entry }) => entry.method === 'tools/call')
  }

  /**
   * Makes the next call of `tool` fail. The error text is different for each failure. If `failure` is
   * undefined, no call fails.
   */
  fail({ tool, failure }: PlannedCall): void {
    this.#setFaults(this.#failuresOf([{ tool, failure }]))
  }

  /**
   * Delays the answers to calls until `release`. Calls with a `failure` then fail, each with a different
   * error text.
   */
  delay(calls: readonly PlannedCall[]): void {
    const tools = [...new Set(calls.map(({ tool }) => tool))]
    this.#setFaults([
      ...tools.flatMap(tool => faultsOf(tool, { always: true }, { delayMs: 1 })),
      ...tools.flatMap(tool => this.#failuresOf(calls.filter(call => call.tool === tool))),
    ])
  }

  /** Releases the delayed answers and ends all failures. */
  async release(): Promise<void> {
    this.endFaults()
    await this.clock.advance(1)
  }

  /** Ends all delays and failures of the upstream. */
  endFaults(): void {
    this.#setFaults([])
  }

  /**
   * Makes further calls of `create_postgres` fail. One database is enough, and more databases would take too
   * long.
   */
  databaseMade(): void {
    this.#hasDatabase = true
    this.#setFaults([])
  }

  /** Whether a database has been created. Further calls of `create_postgres` then fail. */
  get hasDatabase(): boolean {
    return this.#hasDatabase
  }

  /**
   * Resolves when a condition holds, or after `maxMs` milliseconds of machine time.
   *
   * @returns whether the condition holds
   */
  async until(condition: () => boolean, maxMs: number): Promise<boolean> {
    const end = this.machine.now() + maxMs
    while (!condition() && this.machine.now() < end) await this.pause(5)
    return condition()
  }

  /** Resolves after `ms` milliseconds of machine time. */
  pause(ms: number): Promise<void> {
    return new Promise(resolve => this.machine.wakeAt(this.machine.now() + ms, resolve))
  }

  async close(): Promise<void> {
    unsubscribe('http.server.request.start', this.#onRequest)
    await this.#preparedValues.close()
    await this.#understudy.close()
  }

  /**
   * Collects the credentials of requests, because the judge searches for them in answers. The journal cannot
   * provide them, because it masks credentials.
   */
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

  /** Returns the faults that make calls of one tool fail. The calls are in the order in which they arrive. */
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

/** Starts the rehearsal. @returns whether this is the first request to start it */
function isFirst(start: AbortController): boolean {
  const first = !start.signal.aborted
  start.abort()
  return first
}

/** Returns a fault for a tool. Empty for a tool that the stand-ins do not have. */
function faultsOf(tool: string, when: Fault['when'], act: Fault['do']): Fault[] {
  const known = knownTool(tool)
  return known === undefined ? [] : [{ server: known.server, tool, when, do: act }]
}
