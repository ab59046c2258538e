import { Refusal } from '../../../shared/errors.js'
import type { Instance } from '../../../shared/instance.js'
import type { Tool } from '../../../shared/mcp/define-tool.js'
import { McpHost } from '../../../shared/mcp/host.js'
import type { Revisions } from '../../../shared/mcp/revisions.js'
import { mountTools } from '../../../shared/mcp/tool-server.js'
import { VERSION } from '../../../shared/util/version.js'
import { identify } from '../callers.js'
import type { Caller } from '../service.js'
import { claimToken, deleteResource, getApiToken, listResources } from './account.js'
import { refusalText, type ToolDeps } from './context.js'
import { createPostgres, createWebhook } from './create.js'

/** `serverInfo.name` of the real service. */
const SERVER_NAME = 'instanode.dev'

/** Creates the six tools, in the order in which the real service lists them. */
function createTools(deps: ToolDeps): readonly Tool<Caller>[] {
  const tools = [
    createPostgres(deps),
    createWebhook(deps),
    listResources(deps),
    claimToken(deps),
    deleteResource(deps),
    getApiToken(deps),
  ]
  return deps.contract.marksFailedCalls ? tools : tools.map(withoutErrorFlag)
}

export interface McpOptions extends ToolDeps {
  instance: Instance
  revisions: Revisions
  /** Returns the caller's name for the journal. */
  nameOf(caller: Caller): string
}

/** Creates the host of MCP conversations, with the six tools of Instanode. */
export async function createMcp({
  instance,
  revisions,
  nameOf,
  ...deps
}: McpOptions): Promise<McpHost<Caller>> {
  const { log } = instance
  const host = new McpHost({
    name: 'instanode',
    instance,
    revisions,
    identify,
    nameOf,
    onError: error => log.warn('an MCP message could not be handled', error),
  })
  const tools = createTools(deps)
  await mountTools({ name: SERVER_NAME, version: VERSION, tools, host, log, refusal: refusalText })
  return host
}

/**
 * Returns a tool that answers a refusal of the service with plain text and without `isError`, as the real
 * client does. The tool is listed without an output schema, because the plain text does not match the schema.
 */
function withoutErrorFlag(tool: Tool<Caller>): Tool<Caller> {
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
