import type { Tool } from '../../../shared/mcp/define-tool.js'
import type { Agent } from '../agent.js'
import { ackTask } from './ack-task.js'
import { claimTask } from './claim-task.js'
import type { ToolKit } from './context.js'
import { createRoom } from './create-room.js'
import { getTranscript } from './get-transcript.js'
import { waitForMessages } from './messages.js'
import { roomStatus } from './rooms.js'
import { sendMessage } from './send-message.js'
import { nextTask } from './tasks.js'

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
