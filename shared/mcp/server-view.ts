import { z } from 'zod'
import type { Checks, Gauge } from '../instance.js'
import { TRANSPORTS } from '../journal/entry.js'
import { instant } from '../schemas/instant.js'
import type { McpHost } from './host.js'

/** Schema for the URL of a server's MCP endpoint in answers of the control plane. */
export const mcpEndpoint = z
  .string()
  .nullable()
  .describe('URL of the MCP endpoint; null: the server has no listener')

/** Schema of a request that has not been answered yet. Most such requests wait until a message arrives. */
export const callUnderWay = z
  .strictObject({
    seq: z.int().describe('seq of its journal entry'),
    caller: z.string(),
    method: z.string(),
    tool: z.string().nullable(),
    transport: z.enum(TRANSPORTS),
    session: z.string().nullable(),
    since: instant,
    forMs: z.int().describe('milliseconds since its arrival, by the instance’s clock'),
  })
  .meta({ id: 'CallUnderWay' })

export type CallUnderWay = z.infer<typeof callUnderWay>

/**
 * Returns the URL of the MCP endpoint.
 *
 * @param url URL of the server's listener. Undefined: the server has no listener
 */
export function mcpUrl(url: string | undefined): string | null {
  return url === undefined ? null : `${url}/mcp`
}

/** Returns the unanswered calls of a server, as the state of the server shows them. */
export function callsUnderWay<Caller>(host: McpHost<Caller>, now: number): CallUnderWay[] {
  return host.underWay().map(({ entry, caller, method }) => ({
    seq: entry.seq,
    caller,
    method,
    tool: entry.tool,
    transport: entry.transport,
    session: entry.session,
    since: entry.at,
    forMs: now - entry.atMs,
  }))
}

/**
 * Checks whether a server can be reached: its port, and the MCP server behind the port.
 *
 * @param listening whether the port accepts connections. Undefined: the server has no port
 */
export async function reached<Caller>(
  host: McpHost<Caller>,
  listening: boolean | undefined,
): Promise<Checks> {
  const mcp = await host.ping().then(
    () => 'ok',
    (error: Error) => error.message,
  )
  const port = listening ? 'ok' : 'it does not listen any more'
  return listening === undefined ? { mcp } : { port, mcp }
}

/** Returns a gauge for the number of requests that a server has not answered yet. */
export function busyGauge<Caller>(host: McpHost<Caller>): Gauge {
  return {
    name: 'calls_under_way',
    about: 'MCP requests that have not been answered yet, most of which wait for a message',
    labels: { server: host.name },
    value: host.busy,
  }
}
