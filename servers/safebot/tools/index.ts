import type { Tool } from '../../../shared/mcp/define-tool.js'
import type { Agent } from '../callers.js'
import type { ToolKit } from './context.js'
import { getTranscript, sendMessage, waitForMessages } from './messages.js'
import { createRoom, roomStatus } from './rooms.js'
import { ackTask, claimTask, nextTask } from './tasks.js'

/** The eight tools, in the order the service lists them. */
export function createTools(kit: ToolKit): readonly Tool<Agent>[] {
  return [
    createRoom(kit),
    sendMessage(kit),
    waitForMessages(kit),
    getTranscript(kit),
    roomStatus(kit),
    nextTask(kit),
    claimTask(kit),
    ackTask(kit),
  ]
}
