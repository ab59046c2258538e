import { z } from 'zod'

/** Where a server takes MCP, as answers write it. */
export const mcpEndpoint = z.string().nullable().describe('where it takes MCP; null: it listens nowhere')

/** @param url of the server's listener; undefined: it has none */
export function mcpUrl(url: string | undefined): string | null {
  return url === undefined ? null : `${url}/mcp`
}
