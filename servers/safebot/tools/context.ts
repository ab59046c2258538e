import type { Clock } from '../../../shared/clock/clock.js'
import type { FaultTable } from '../../../shared/faults/table.js'
import type { IdSource } from '../../../shared/ids.js'
import type { Agent } from '../agent.js'
import type { Contract } from '../contract.js'
import type { RoomAddress, RoomUrls } from '../room-url.js'
import type { Patience, SafebotService } from '../service.js'

/** What the tools work with. */
export interface ToolKit {
  /** The service that has a room: this one, or one far away. */
  serviceOf(room: RoomAddress): Promise<SafebotService>
  urls: RoomUrls
  clock: Clock
  /** For room ids, keys and nonces. */
  ids: IdSource
  contract: Contract
  /** Trouble for what a tool does inside; what the calls themselves meet is none of their business. */
  faults: FaultTable
}

/**
 * Lets an agent appear in the room it is about to work in; returns the service that has it.
 *
 * @throws Refusal if the agent's identity cannot be had
 */
export async function enterRoom(
  kit: ToolKit,
  agent: Agent,
  room: RoomAddress,
  name?: string,
): Promise<SafebotService> {
  const service = await kit.serviceOf(room)
  await agent.beSomebody()
  agent.enter(room, label => service.join(room.roomId, { handle: agent.handle, label }), name)
  return service
}

/** How long a tool waits, and what it does about a room that nobody has opened yet. */
export function patience({ contract }: ToolKit, timeoutSeconds: number): Patience {
  return {
    timeoutMs: timeoutSeconds * 1000,
    ifMissing: contract.waitsForMissingRoom ? 'wait' : 'return',
  }
}
