import type { Tool } from '../../../shared/mcp/define-tool.js'
import type { Agent } from '../agent.js'
import { ackTask } from './ack-task.js'
import { claimTask } from './claim-task.js'
import { createRoom } from './create-room.js'
import { getTranscript } from './get-transcript.js'
import type { ToolKit } from './kit.js'
import { nextTask } from './next-task.js'
import { roomStatus } from './room-status.js'
import { sendMessage } from './send-message.js'
import { waitForMessages } from './wait-for-messages.js'

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
