import type { Instance } from '../../shared/instance.js'
import { McpHost } from '../../shared/mcp/host.js'
import { mountTools } from '../../shared/mcp/tool-server.js'
import { VERSION } from '../../shared/util/version.js'
import { identify } from './caller.js'
import type { Caller } from './service.js'
import type { ToolKit } from './tools/context.js'
import { createTools } from './tools/index.js'
import { refusalText } from './tools/refusal-text.js'

/** `serverInfo.name` of the real service. */
const SERVER_NAME = 'instanode.dev'

export interface McpOptions extends ToolKit {
  /** The caller as the journal names it. */
  nameOf(caller: Caller): string
}

/** The MCP side of the service: the host of its conversations, with the six tools behind it. */
export async function createMcp(
  instance: Instance,
  { nameOf, service, contract }: McpOptions,
): Promise<McpHost<Caller>> {
  const { log } = instance
  const host = new McpHost({
    name: 'instanode',
    instance,
    identify,
    nameOf,
    onError: error => log.warn('a message could not be handled', error),
  })
  await mountTools({
    name: SERVER_NAME,
    version: VERSION,
    tools: createTools({ service, contract }),
    host,
    log,
    refusal: refusalText,
  })
  return host
}
