import type { Checks, Gauge } from '../../shared/instance.js'
import type { McpHost } from '../../shared/mcp/host.js'

/**
 * Whether a server can be reached: its port, and the MCP server behind it.
 *
 * @param listening whether its port can be connected to; undefined: it has none
 */
export async function reached<Caller>(
  host: McpHost<Caller>,
  listening: boolean | undefined,
): Promise<Checks> {
  const mcp = await host.ping().then(
    () => 'ok',
    (error: Error) => error.message,
  )
  return { ...(listening !== undefined && { port: listening ? 'ok' : 'it does not listen any more' }), mcp }
}

/** How many requests a server has not answered yet. */
export function busyGauge<Caller>(host: McpHost<Caller>): Gauge {
  return {
    name: 'calls_under_way',
    about: 'MCP requests that have not been answered: parked ones, as a rule',
    labels: { server: host.name },
    value: host.busy,
  }
}
