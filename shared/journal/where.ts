import { METHODS } from 'node:http'
import { z } from 'zod'
import { Refusal } from '../errors.js'
import { checked, strict } from '../util/check.js'
import { closestName } from '../util/closest-name.js'
import { defined } from '../util/objects.js'
import { type JournalEntry, OUTCOMES, TRANSPORTS } from './entry.js'

/** The methods of MCP, from the schemas of its revisions up to 2026-07-28. */
export const MCP_METHODS: readonly string[] = [
  'initialize',
  'ping',
  'server/discover',
  'tools/list',
  'tools/call',
  'resources/list',
  'resources/templates/list',
  'resources/read',
  'resources/subscribe',
  'resources/unsubscribe',
  'prompts/list',
  'prompts/get',
  'completion/complete',
  'logging/setLevel',
  'subscriptions/listen',
  'tasks/get',
  'tasks/list',
  'tasks/result',
  'tasks/cancel',
  'tasks/update',
  'sampling/createMessage',
  'elicitation/create',
  'roots/list',
  'notifications/initialized',
  'notifications/cancelled',
  'notifications/progress',
  'notifications/message',
  'notifications/roots/list_changed',
  'notifications/tools/list_changed',
  'notifications/prompts/list_changed',
  'notifications/resources/list_changed',
  'notifications/resources/updated',
  'notifications/subscriptions/acknowledged',
  'notifications/elicitation/complete',
  'notifications/tasks/status',
]

/**
 * Maximum size of the request bodies in one answer, in bytes. An answer with only one entry can exceed it.
 */
export const MAX_READ_BYTES = 16 * 1024 * 1024

const text = z.string().exactOptional()
const textOrNull = z.string().nullable().exactOptional()

/** The fields of a filter for entries. */
export const whereSchema = strict({
  server: text.describe('safebot or instanode'),
  tool: textOrNull.describe('the name that the caller used; null for a request that calls no tool'),
  caller: text,
  outcome: z.enum(OUTCOMES).exactOptional().describe('an entry in progress has no outcome yet'),
  method: textOrNull,
  session: textOrNull,
  transport: z.enum(TRANSPORTS).exactOptional(),
  argsHash: textOrNull.describe('sha256: and hex digits, as in the log of a gateway'),
  trace: textOrNull.describe('the trace id of the W3C traceparent'),
  instance: text.describe('the name of a replica, if replicas share a store'),
  arguments: z
    .record(z.string(), z.unknown())
    .exactOptional()
    .describe('a part of the arguments, at any depth. Lists must have the same length'),
  unknown: z
    .boolean()
    .exactOptional()
    .describe('allows a tool or a method that no server has; false if not given'),
})

/**
 * A filter: fields and the values that an entry must have. For `arguments`, a part of the entry's arguments
 * is enough.
 */
export type JournalFilter = z.input<typeof whereSchema>

/** The fields of a filter that are compared with an entry. */
export type EntryField = Exclude<keyof JournalFilter, 'unknown'>

/**
 * Checks a filter. A field with the value undefined is refused, because it could match
 * no entry or every entry.
 *
 * @throws Refusal `bad_where` for an undefined, unknown or invalid field
 */
export function readWhere(where: JournalFilter): JournalFilter {
  return checked(whereSchema, where, 'bad_where', 'where')
}

/** The fields of a filter and the values that an entry must have. */
export type ExpectedFields = readonly (readonly [field: EntryField, value: unknown])[]

export function expectedOf({ unknown: _, ...where }: JournalFilter): ExpectedFields {
  // The schema accepts no other fields.
  return Object.entries(where) as [EntryField, unknown][]
}

export function matches(entry: JournalEntry, expected: ExpectedFields): boolean {
  for (const [field, value] of expected) {
    if (field === 'arguments' ? !contains(fieldOf(entry, field), value) : entry[field] !== value) return false
  }
  return true
}

/** Returns a field of an entry. Missing arguments count as an empty object. */
export function fieldOf(entry: JournalEntry, field: EntryField): unknown {
  return field === 'arguments' ? (entry.arguments ?? {}) : entry[field]
}

/** Returns whether `actual` has all fields and values of `expected`. */
function contains(actual: unknown, expected: unknown): boolean {
  for (const _ of differences(actual, expected, '')) return false
  return true
}

/**
 * Yields the differences between `actual` and `expected`, each with a path and both values.
 *
 * @param path the path at which both values are found. The paths of differences begin with it
 */
export function* differences(
  actual: unknown,
  expected: unknown,
  path: string,
): Generator<{ path: string; actual: unknown; expected: unknown }> {
  if (typeof expected !== 'object' || expected === null) {
    if (actual !== expected) yield { path, actual, expected }
    return
  }
  const alike =
    typeof actual === 'object' &&
    actual !== null &&
    Array.isArray(actual) === Array.isArray(expected) &&
    !(Array.isArray(expected) && Array.isArray(actual) && actual.length !== expected.length)
  if (!alike) {
    yield { path, actual, expected }
    return
  }
  for (const [key, value] of Object.entries(expected)) {
    const own = Object.hasOwn(actual, key) ? Reflect.get(actual, key) : undefined
    yield* differences(own, value, `${path}.${key}`)
  }
}

/** The query of a page of the journal. */
export const pageSchema = strict({
  ...whereSchema.shape,
  after: z.int().min(0).exactOptional().describe('only entries with a higher seq'),
  limit: z.int().min(1).max(10_000).exactOptional().describe('maximum number of entries; 1,000 if not given'),
})

export type PageRequest = z.input<typeof pageSchema>

/** The options of a wait: the number of entries and the time limit. */
export const waitSchema = strict({
  count: z.int().min(1).max(10_000).exactOptional().describe('number of distinct entries; 1 if not given'),
  timeoutMs: z.int().min(0).exactOptional().describe('milliseconds of machine time; 5,000 if not given'),
})

export type WaitOptions = z.input<typeof waitSchema> & {
  /** Ends the wait, which then rejects with the signal's reason. */
  signal?: AbortSignal
}

/**
 * Returns the first entries, up to a total of {@link MAX_READ_BYTES} of bodies. The very first entry is
 * always returned.
 */
export function withinReadLimit(entries: JournalEntry[]): JournalEntry[] {
  let bytes = 0
  const end = entries.findIndex(({ requestBytes }) => {
    bytes += requestBytes
    return bytes > MAX_READ_BYTES
  })
  return end < 0 ? entries : entries.slice(0, Math.max(1, end))
}

/** The servers and tools that journal entries can name. */
export interface KnownNames {
  servers(): readonly string[]
  /**
   * Returns all names under which a tool of a server can be called, including tools that its list does not
   * show now.
   */
  tools(server: string): readonly string[]
}

/**
 * Refuses a filter with a server, tool or method that no entry can have. With a misspelled name,
 * `expectNothing` would always succeed. A name that an entry already has is allowed, because a client can
 * have called a tool that does not exist.
 *
 * @param seen returns whether the journal has an entry that matches a filter
 * @throws Refusal `unknown_server`, `unknown_tool` or `unknown_method`, with the closest name
 */
export function requireKnownNames(
  { server, tool, method, unknown = false }: JournalFilter,
  known: KnownNames,
  seen: (where: JournalFilter) => boolean,
): void {
  if (server !== undefined && !known.servers().includes(server) && !seen({ server })) {
    throw new Refusal(
      'unknown_server',
      `there is no server ${JSON.stringify(server)}`,
      closestHint(server, known.servers()),
    )
  }
  if (unknown) return
  if (typeof tool === 'string') requireTool(server, tool, known, seen)
  if (typeof method === 'string' && !isKnownMethod(method) && !seen({ method })) {
    throw new Refusal(
      'unknown_method',
      `there is no method ${JSON.stringify(method)}`,
      `${closestHint(method, MCP_METHODS)}. HTTP requests have names like "POST /db/new". ${allowUnknownHint('method')}`,
    )
  }
}

function requireTool(
  server: string | undefined,
  tool: string,
  known: KnownNames,
  seen: (where: JournalFilter) => boolean,
): void {
  const tools = (server === undefined ? known.servers() : [server]).flatMap(name => known.tools(name))
  if (tools.includes(tool) || seen({ tool, ...defined({ server }) })) return
  const name = JSON.stringify(tool)
  throw new Refusal(
    'unknown_tool',
    server === undefined ? `no server has a tool ${name}` : `${server} has no tool ${name}`,
    `${closestHint(tool, tools)}. ${allowUnknownHint('tool')}`,
  )
}

/**
 * Returns whether a method is one of MCP, or an HTTP verb with a path. Any path is allowed, because
 * receivers have their own paths.
 */
function isKnownMethod(method: string): boolean {
  const [verb = '', path] = method.split(' ')
  return MCP_METHODS.includes(method) || (METHODS.includes(verb) && path?.startsWith('/') === true)
}

function closestHint(word: string, known: readonly string[]): string {
  const closest = closestName(word, known)
  return closest === undefined
    ? `there are ${known.join(', ')}`
    : `${JSON.stringify(closest)} is probably meant`
}

function allowUnknownHint(what: string): string {
  return `In the filter, unknown: true allows a ${what} that no server has`
}
