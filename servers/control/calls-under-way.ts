import type { McpHost } from '../../shared/mcp/host.js'
import type { CallUnderWay } from '../../shared/mcp/server-view.js'

/** What a server has not answered yet, as its state shows it. */
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
