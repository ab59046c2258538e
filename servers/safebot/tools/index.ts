import type { Instance } from '../../../shared/instance.js'
import type { Tool } from '../../../shared/mcp/define-tool.js'
import { McpHost } from '../../../shared/mcp/host.js'
import type { Revisions } from '../../../shared/mcp/revisions.js'
import { mountTools } from '../../../shared/mcp/tool-server.js'
import { VERSION } from '../../../shared/util/version.js'
import type { Agent, Agents } from '../callers.js'
import { hostileTools, type SafebotHostility } from '../hostile.js'
import { refusalText, type ToolDeps } from './context.js'
import { getTranscript, sendMessage, waitForMessages } from './messages.js'
import { createRoom, roomStatus } from './rooms.js'
import { ackTask, claimTask, nextTask } from './tasks.js'

/** `serverInfo.name` of the real service. */
const SERVER_NAME = 'safebot-chat'

/** Creates the eight tools, in the order in which the real service lists them. */
function createTools(deps: ToolDeps): readonly Tool<Agent>[] {
  return [
    createRoom(deps),
    sendMessage(deps),
    waitForMessages(deps),
    getTranscript(deps),
    roomStatus(deps),
    nextTask(deps),
    claimTask(deps),
    ackTask(deps),
  ]
}

export interface McpOptions extends Pick<ToolDeps, 'serviceOf' | 'urls' | 'contract'> {
  instance: Instance
  agents: Agents
  hostility: SafebotHostility
  revisions: Revisions
}

/** Creates the host of MCP conversations, and adds the eight tools to it. */
export async function createMcp(options: McpOptions): Promise<McpHost<Agent>> {
  const { instance, agents, hostility, revisions, serviceOf, urls, contract } = options
  const { clock, ids, faults, log } = instance
  const host = new McpHost({
    name: 'safebot',
    instance,
    revisions,
    identify: clues => agents.identify(clues),
    nameOf: agent => agent.handle,
    forget: session => agents.endSession(session),
    onError: error => log.warn('cannot handle an MCP message', error),
  })
  const genuine = createTools({ serviceOf, urls, clock, ids: ids.stream('rooms'), contract, faults })
  const tools = hostileTools(genuine, hostility, () => urls.base)
  await mountTools({ name: SERVER_NAME, version: VERSION, tools, host, log, refusal: refusalText })
  return host
}
