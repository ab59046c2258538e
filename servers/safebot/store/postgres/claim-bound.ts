import type { StoreDatabase } from '../../../../shared/records/store-database.js'
import { StoreUnavailable } from '../../../../shared/records/store-error.js'
import { LOCK_ROOM } from './locks.js'
import { EARLIER_CLAIMS, FORGET_CLAIM } from './room-statements.js'

/**
 * Lets go of a handle's earliest claims beyond `keep`, each alone in its own room, one room at a time: so nobody's lease ends while
 * somebody works with it, and nobody waits for a room while keeping another.
 */
export async function forgetEarlierClaims(
  database: StoreDatabase,
  handle: string,
  keep: number,
): Promise<void> {
  try {
    const rooms = await database.read<{ room_id: string }>(EARLIER_CLAIMS, [handle, keep])
    for (const { room_id } of rooms) {
      await database.transaction(async tx => {
        tx.send(LOCK_ROOM, [room_id])
        // It may have been claimed in anew meanwhile: then it is another that goes.
        tx.send(FORGET_CLAIM, [room_id, handle, keep])
      })
    }
  } catch (error) {
    // The claim itself is kept; the handle's next first claim in a room sees to what is too much.
    if (!(error instanceof StoreUnavailable)) {
      database.log.error('the earliest claims of a handle could not be let go', error)
    }
  }
}
