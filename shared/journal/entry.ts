import { createHash } from 'node:crypto'
import type { IncomingHttpHeaders } from 'node:http'
import { z } from 'zod'
import { goJson } from '../util/go-json.js'
import { isObject } from '../util/objects.js'
import { maskHeaders } from '../util/secrets.js'
import { OUTCOMES, type Outcome, TRANSPORTS, type TransportKind } from './outcome.js'

/**
 * Matches a `traceparent` of W3C Trace Context: version, trace id, parent id and flags. A later version can
 * append a dash and more fields.
 */
const TRACEPARENT = /^(?!ff)[0-9a-f]{2}-(?!0{32})([0-9a-f]{32})-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}(-.*)?$/

export { OUTCOMES, type Outcome, TRANSPORTS, type TransportKind }

/** Size in bytes above which a body is kept as a Buffer. For a smaller body, a string is cheaper. */
const LARGE_BYTES = 64 * 1024

/** Facts about the protocol of a request. */
export interface ProtocolNotes {
  /** The MCP revision that the request or its session names. Null if neither names one. */
  readonly protocol: string | null
  /** Name and version of the client, as the client states them. Null if the client has not stated them. */
  readonly client: { readonly name: string; readonly version: string } | null
  /**
   * Names of the `Mcp-*` headers that are missing or contradict the body, spelled as in the specification.
   */
  readonly mismatch: readonly string[]
}

const NO_NOTES: ProtocolNotes = { protocol: null, client: null, mismatch: [] }

/** A request as it arrives. */
export interface Arrival {
  server: string
  transport: TransportKind
  /** The MCP session, if there is one. */
  session: string | null
  /** The caller as the server knows it, for example a handle or an account. */
  caller: string
  /**
   * The JSON-RPC method. For an HTTP request without a JSON-RPC message, its verb and path, such as
   * `GET /mcp`. Null if the request has neither.
   */
  method: string | null
  tool: string | null
  /**
   * The parsed arguments of a `tools/call`. The entry keeps them until the request has ended. A later read of
   * the arguments parses `raw` again.
   */
  arguments: unknown
  headers: IncomingHttpHeaders
  /**
   * `params._meta.traceparent` of the message, if it has one. It takes precedence over the header, which all
   * messages of a batch share.
   */
  traceparent?: unknown
  /** The exact request body. For a message of a batch, it is the body of the whole batch. */
  raw: string
  /** The index of the message in the batch, from 0. Undefined if `raw` is not a batch. */
  batchIndex?: number | undefined
  /** Default: notes that are null or empty, as for a request to an HTTP API. */
  notes?: ProtocolNotes
}

/** The arrival of the dummy entry of a journal, which stands for no request. */
export const NO_ARRIVAL: Arrival = {
  server: '',
  transport: 'memory',
  session: null,
  caller: '',
  method: null,
  tool: null,
  arguments: undefined,
  headers: {},
  raw: '',
}

/** The number, instance and time of an entry. */
interface EntryOrigin {
  /** 1 for the first request of the instance. */
  readonly seq: number
  readonly instance: string
  /** The instance's clock, milliseconds since the epoch. */
  readonly atMs: number
  /** The machine's time, milliseconds since the epoch. */
  readonly startedMs: number
}

/** One request that reached a server, from its arrival to its outcome. */
export class JournalEntry implements EntryOrigin {
  readonly seq: number
  readonly instance: string
  readonly atMs: number
  readonly startedMs: number
  readonly server: string
  readonly transport: TransportKind
  readonly session: string | null
  readonly caller: string
  readonly method: string | null
  readonly tool: string | null
  readonly headers: IncomingHttpHeaders
  readonly requestBytes: number
  readonly notes: ProtocolNotes
  /**
   * The number of the latest change of this entry, in the journal's count of changes. An entry changes when
   * it is opened and when it ends.
   */
  changed = 0
  readonly #batchIndex: number | undefined
  readonly #traceparent: string | undefined
  /** The request body. {@link release} converts a large body from a string to bytes. */
  #raw: string | Buffer
  /**
   * Undefined after {@link release}, because parsed arguments take up to fifteen times the memory of their
   * text.
   */
  #arguments: unknown
  #released = false
  #trace: string | null | undefined
  #outcome: Outcome | undefined
  #durationMs: number | undefined
  #responseBytes = 0
  #hash: string | null | undefined

  /** @param secretNames lower-case names of further headers to mask. See {@link maskHeaders} */
  constructor(
    { seq, instance, atMs, startedMs }: EntryOrigin,
    arrival: Arrival,
    secretNames?: ReadonlySet<string>,
  ) {
    this.seq = seq
    this.instance = instance
    this.atMs = atMs
    this.startedMs = startedMs
    this.server = arrival.server
    this.transport = arrival.transport
    this.session = arrival.session
    this.caller = arrival.caller
    this.method = arrival.method
    this.tool = arrival.tool
    this.#arguments = arrival.arguments
    this.headers = maskHeaders(arrival.headers, secretNames)
    const traceparent = arrival.traceparent ?? arrival.headers.traceparent
    this.#traceparent = typeof traceparent === 'string' ? traceparent : undefined
    this.#raw = arrival.raw
    this.#batchIndex = arrival.batchIndex
    this.requestBytes = Buffer.byteLength(arrival.raw)
    this.notes = arrival.notes ?? NO_NOTES
  }

  /**
   * The time of arrival by the instance's clock, in ISO 8601. It is formatted only when it is read, because
   * most entries are never read.
   */
  get at(): string {
    return new Date(this.atMs).toISOString()
  }

  /** The machine time of arrival, in ISO 8601. */
  get wall(): string {
    return new Date(this.startedMs).toISOString()
  }

  get outcome(): Outcome | undefined {
    return this.#outcome
  }

  /** Milliseconds of machine time from arrival to answer. Undefined while the request is in progress. */
  get durationMs(): number | undefined {
    return this.#durationMs
  }

  get responseBytes(): number {
    return this.#responseBytes
  }

  /**
   * The arguments of a `tools/call`. Undefined for any other request, and for a call without arguments. Each
   * read after {@link release} parses `raw` again.
   */
  get arguments(): unknown {
    return this.#released ? this.#argumentsInRaw() : this.#arguments
  }

  get protocol(): string | null {
    return this.notes.protocol
  }

  get client(): ProtocolNotes['client'] {
    return this.notes.client
  }

  get mismatch(): readonly string[] {
    return this.notes.mismatch
  }

  /** The exact request body. */
  get raw(): string {
    return typeof this.#raw === 'string' ? this.#raw : this.#raw.toString('utf8')
  }

  /**
   * Frees the parsed arguments, and moves a large body out of V8's heap as bytes.
   *
   * V8 lets garbage grow to four times the size of the live heap, so large bodies there are expensive.
   */
  release(): void {
    this.#released = true
    this.#arguments = undefined
    if (this.requestBytes > LARGE_BYTES) this.#raw = Buffer.from(this.raw)
  }

  /**
   * The {@link argsHash} of the arguments, computed at the first read. Null if the request calls no tool.
   * Also null if the arguments have thousands of levels. Such arguments can be parsed, but not written.
   */
  get argsHash(): string | null {
    if (this.#hash === undefined) this.#hash = this.tool === null ? null : hashOrNull(this.arguments)
    return this.#hash
  }

  /** The trace id of the W3C `traceparent`, or null if there is none. */
  get trace(): string | null {
    return this.#trace === undefined ? traceId(this.#traceparent) : this.#trace
  }

  /**
   * Creates an entry from the JSON of an ended entry, which comes from the journal of another instance.
   *
   * @param seq the number of the new entry in the journal of this instance
   */
  static from(
    { at, wall, argsHash, trace, outcome, durationMs, protocol, client, mismatch, ...arrival }: EntryJson,
    seq: number,
  ): JournalEntry {
    const entry = new JournalEntry(
      { seq, instance: arrival.instance, atMs: Date.parse(at), startedMs: Date.parse(wall) },
      { ...arrival, notes: { protocol, client, mismatch } },
    )
    entry.#hash = argsHash
    entry.#trace = trace
    entry.end(outcome ?? 'aborted', durationMs ?? 0, arrival.responseBytes)
    entry.release()
    return entry
  }

  /** Ends the entry. Returns false and changes nothing if the entry has already ended. */
  end(outcome: Outcome, durationMs: number, responseBytes: number): boolean {
    if (this.#outcome !== undefined) return false
    this.#outcome = outcome
    this.#durationMs = durationMs
    this.#responseBytes = responseBytes
    return true
  }

  /**
   * Returns the JSON form of the entry, with the fields in the documented order. Its `arguments` are parsed
   * only when they are read.
   */
  toJSON(): EntryJson {
    const entry = this
    return {
      seq: this.seq,
      at: this.at,
      wall: this.wall,
      server: this.server,
      instance: this.instance,
      transport: this.transport,
      session: this.session,
      caller: this.caller,
      method: this.method,
      tool: this.tool,
      get arguments() {
        return entry.argsHash === null ? null : (entry.arguments ?? null)
      },
      argsHash: this.argsHash,
      headers: definedHeaders(this.headers),
      outcome: this.#outcome ?? null,
      durationMs: this.#durationMs ?? null,
      requestBytes: this.requestBytes,
      responseBytes: this.#responseBytes,
      raw: this.raw,
      trace: this.trace,
      protocol: this.protocol,
      client: this.client,
      mismatch: [...this.mismatch],
    }
  }

  #argumentsInRaw(): unknown {
    if (this.method !== TOOLS_CALL) return undefined
    const body: unknown = JSON.parse(this.raw)
    return argumentsOf(Array.isArray(body) ? this.#messageIn(body) : body)
  }

  /**
   * Returns the message of this entry from a batch. An entry from another instance has no batch index, so its
   * message is found by the hash of its arguments.
   */
  #messageIn(batch: readonly unknown[]): unknown {
    if (this.#batchIndex !== undefined) return batch[this.#batchIndex]
    return batch.find(message => hashOrNull(argumentsOf(message)) === this.#hash)
  }
}

const TOOLS_CALL = 'tools/call'

function argumentsOf(message: unknown): unknown {
  if (!isObject(message) || message.method !== TOOLS_CALL || !isObject(message.params)) return undefined
  return message.params.arguments
}

/** Returns a copy of the headers without those whose value is undefined. */
function definedHeaders(headers: IncomingHttpHeaders): Record<string, string | string[]> {
  const kept: Record<string, string | string[]> = {}
  for (const [name, value] of Object.entries(headers)) if (value !== undefined) kept[name] = value
  return kept
}

function hashOrNull(value: unknown): string | null {
  try {
    return argsHash(value)
  } catch (error) {
    if (error instanceof RangeError) return null
    throw error
  }
}

/**
 * Returns `sha256:` and the hex digest of `value` as compact JSON with sorted keys.
 *
 * A gateway logs the same hash (Intercept's `args_hash`), so its log can be joined with the journal.
 */
export function argsHash(value: unknown): string {
  return `sha256:${createHash('sha256')
    .update(goJson(value ?? {}))
    .digest('hex')}`
}

/**
 * Returns the trace id of a `traceparent`. Returns null if the `traceparent` is absent or violates the format
 * of W3C Trace Context.
 */
function traceId(traceparent: unknown): string | null {
  return typeof traceparent === 'string' ? (TRACEPARENT.exec(traceparent)?.[1] ?? null) : null
}

/** The JSON form of an entry in files, streams and pages. */
export const entryJson = z
  .strictObject({
    seq: z.int().describe('1 for the first request of the instance'),
    at: z.string().describe('the instance’s clock, ISO 8601'),
    wall: z.string().describe('the machine’s time, ISO 8601'),
    server: z.string(),
    instance: z.string(),
    transport: z.enum(TRANSPORTS),
    session: z.string().nullable(),
    caller: z.string().describe('for example a handle or an account'),
    method: z.string().nullable(),
    tool: z.string().nullable(),
    arguments: z.unknown(),
    argsHash: z.string().nullable().describe('sha256: over compact JSON with sorted keys'),
    headers: z
      .record(z.string(), z.union([z.string(), z.array(z.string())]))
      .describe('the values of secret headers are masked; their names are shown'),
    outcome: z.enum(OUTCOMES).nullable().describe('null while the request is in progress'),
    durationMs: z.number().nullable(),
    requestBytes: z.int(),
    responseBytes: z.int(),
    raw: z.string().describe('the exact request body'),
    trace: z.string().nullable().describe('the trace id of its W3C traceparent'),
    protocol: z
      .string()
      .nullable()
      .describe('the MCP revision that the request names, or that its session has agreed on'),
    client: z
      .strictObject({ name: z.string(), version: z.string() })
      .nullable()
      .describe('as the client states them'),
    mismatch: z.array(z.string()).describe('Mcp-* headers that are missing or differ from the body'),
  })
  .meta({ id: 'JournalEntry' })

export type EntryJson = z.infer<typeof entryJson>
