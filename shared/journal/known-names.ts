import { METHODS } from 'node:http'
import { Refusal } from '../errors.js'
import { closestName } from '../util/closest-name.js'
import { defined } from '../util/defined.js'
import type { JournalFilter } from './where.js'

/** The servers and tools that journal entries can name. */
export interface KnownNames {
  servers(): readonly string[]
  /** Every name under which a tool of a server can be called, whatever its list shows just now. */
  tools(server: string): readonly string[]
}

/** The methods of MCP. Source: the schemas of its revisions up to 2026-07-28. */
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
 * Refuses a filter with a server, tool or method that no entry can have: with a misspelt name,
 * `expectNothing` would always hold. A name that an entry already has is known, since a client may have
 * called a tool that does not exist.
 *
 * @param seen whether an entry matches a filter
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
      meant(server, known.servers()),
    )
  }
  if (unknown) return
  if (typeof tool === 'string') requireTool(server, tool, known, seen)
  if (typeof method === 'string' && !isKnownMethod(method) && !seen({ method })) {
    throw new Refusal(
      'unknown_method',
      `there is no method ${JSON.stringify(method)}`,
      `${meant(method, MCP_METHODS)}. HTTP requests have names like "POST /db/new". ${allowance('method')}`,
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
    `${meant(tool, tools)}. ${allowance('tool')}`,
  )
}

/** A JSON-RPC method of MCP, or an HTTP method with a path. Any path is known, because receivers have paths of their own. */
function isKnownMethod(method: string): boolean {
  const [verb = '', path] = method.split(' ')
  return MCP_METHODS.includes(method) || (METHODS.includes(verb) && path?.startsWith('/') === true)
}

function meant(word: string, known: readonly string[]): string {
  const closest = closestName(word, known)
  return closest === undefined
    ? `there are ${known.join(', ')}`
    : `${JSON.stringify(closest)} is probably meant`
}

function allowance(what: string): string {
  return `In the filter, unknown: true allows a ${what} that no server has`
}
