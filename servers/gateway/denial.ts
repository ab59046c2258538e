import type { CallToolResult } from '@modelcontextprotocol/sdk/types.js'

/** Begins the text of every call that was not let through, so that a reader knows whose word it is. */
export const DENIED = '[UNDERSTUDY POLICY DENIED]'

/** The key of `_meta` under which a program finds the same. */
export const POLICY_META = 'mcp-understudy/policy'

export interface Denial {
  outcome: 'denied' | 'refused' | 'approval_required'
  tool: string
  rule: string
  message: string
  grant: string
  /** The approval that would let it through. */
  approval?: string
}

/** What the caller of a denied call gets: a tool error, which its model reads, and not a JSON-RPC error, which may end a client. */
export function denialResult({ tool, message, outcome, rule, grant, approval }: Denial): CallToolResult {
  const meta = { outcome, rule, grant, ...(approval !== undefined && { approval }) }
  return {
    content: [{ type: 'text', text: `${DENIED} ${tool.slice(0, 200)}: ${message}` }],
    isError: true,
    _meta: { [POLICY_META]: meta },
  }
}
