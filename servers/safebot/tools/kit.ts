import type { Clock } from '../../../shared/clock/clock.js'
import type { FaultTable } from '../../../shared/faults/table.js'
import type { IdSource } from '../../../shared/ids.js'
import type { Agent } from '../agent.js'
import type { Contract } from '../contract.js'
import type { RoomAddress, RoomUrls } from '../room-url.js'
import type { SafebotService } from '../service.js'

/** What the tools work with. */
export interface ToolKit {
  service: SafebotService
  urls: RoomUrls
  clock: Clock
  /** For room ids, keys and nonces. */
  ids: IdSource
  contract: Contract
  /** Trouble for what a tool does inside; what the calls themselves meet is none of their business. */
  faults: FaultTable
}

/** Lets an agent appear in the room it is about to work in. */
export function enterRoom(kit: ToolKit, agent: Agent, room: RoomAddress, name?: string): void {
  agent.enter(room.roomId, roomId => kit.service.join(roomId), name)
}
