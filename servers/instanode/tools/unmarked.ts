import { Refusal } from '../../../shared/errors.js'
import type { Tool } from '../../../shared/mcp/define-tool.js'
import type { Caller } from '../service.js'
import { refusalText } from './refusal-text.js'

/**
 * The tool as the observed client has it: what the service refuses comes back as plain text, without the mark of an error.
 * Its listing promises no structured result then, for a client would hold such an answer to that.
 */
export function unmarked(tool: Tool<Caller>): Tool<Caller> {
  const { outputSchema: _, ...listing } = tool.listing
  return {
    name: tool.name,
    listing,
    async call(args, context) {
      try {
        return await tool.call(args, context)
      } catch (error) {
        if (!(error instanceof Refusal)) throw error
        return { content: [{ type: 'text', text: refusalText(tool.name, error) }] }
      }
    },
  }
}
