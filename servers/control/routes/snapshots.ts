import { Refusal } from '../../../shared/errors.js'
import { checkedOperation } from '../../../shared/http/checked-operation.js'
import { type Operation, paramOf } from '../../../shared/http/operation.js'
import { iso } from '../../../shared/schemas/instant.js'
import type { Controlled } from '../controlled.js'
import { clockStateOf } from '../schemas/clock.js'
import { resetAnswer, resetRequest, snapshotAnswer, snapshotsAnswer } from '../schemas/state.js'

/** Maximum number of stored snapshots. It is low, because a snapshot can contain whole databases. */
const MAX_SNAPSHOTS = 100

/** Returns the routes that reset the instance, and that take, restore and delete snapshots. */
export function snapshotRoutes<Snapshot>(controlled: Controlled<Snapshot>): Operation[] {
  const { instance } = controlled
  const snapshots = new Snapshots<Snapshot>()
  const summaryOf = ({ id, at, wall }: { id: string; at: number; wall: number }) => ({
    id,
    at: iso(at),
    wall: iso(wall),
  })
  const listed = () => ({ snapshots: snapshots.all().map(summaryOf) })
  return [
    checkedOperation({
      method: 'POST',
      path: '/reset',
      summary: 'Reset the instance to a world. Answers when the reset is complete',
      body: resetRequest,
      bodyCode: 'bad_world',
      answer: resetAnswer,
      refusals: [409, 503],
      async run({ body }) {
        await controlled.reset(body)
        return { clock: clockStateOf(instance.clock) }
      },
    }),
    checkedOperation({
      method: 'GET',
      path: '/snapshots',
      summary: 'The stored snapshots, the oldest first',
      answer: snapshotsAnswer,
      run: listed,
    }),
    checkedOperation({
      method: 'POST',
      path: '/snapshots',
      summary: 'Take a snapshot of the instance. It is stored in this process',
      answer: snapshotAnswer,
      status: 201,
      refusals: [409, 503],
      async run() {
        snapshots.requireCapacity()
        const at = instance.clock.now()
        return summaryOf(snapshots.keep(await controlled.snapshot(), at, instance.machine.now()))
      },
    }),
    checkedOperation({
      method: 'POST',
      path: '/snapshots/:id/restore',
      summary: 'Restore a snapshot. It stays stored and can be restored again',
      answer: resetAnswer,
      refusals: [404, 409, 503],
      async run({ request }) {
        await controlled.restore(snapshots.get(paramOf(request, 'id')).snapshot)
        return { clock: clockStateOf(instance.clock) }
      },
    }),
    checkedOperation({
      method: 'DELETE',
      path: '/snapshots/:id',
      summary: 'Delete a snapshot',
      answer: snapshotsAnswer,
      refusals: [404],
      async run({ request }) {
        await controlled.discard(snapshots.remove(paramOf(request, 'id')))
        return listed()
      },
    }),
  ]
}

/** A stored snapshot, with its id and the time at which it was taken. */
interface StoredSnapshot<Snapshot> {
  id: string
  /** Time of the instance's clock, in milliseconds since the epoch. */
  at: number
  /** Machine time, in milliseconds since the epoch. */
  wall: number
  snapshot: Snapshot
}

/** Stores the snapshots that clients have taken over HTTP. */
class Snapshots<Snapshot> {
  readonly #kept = new Map<string, StoredSnapshot<Snapshot>>()
  /**
   * The number in the id of the latest snapshot. The id does not come from the instance's id source, because
   * a restore moves that source back, and ids would repeat.
   */
  #count = 0

  /** Checks that one more snapshot can be stored. @throws Refusal `too_many_snapshots` */
  requireCapacity(): void {
    if (this.#kept.size < MAX_SNAPSHOTS) return
    throw new Refusal(
      'too_many_snapshots',
      `${MAX_SNAPSHOTS} snapshots are stored already`,
      'delete the snapshots that you no longer need: DELETE /snapshots/:id',
    )
  }

  keep(snapshot: Snapshot, at: number, wall: number): StoredSnapshot<Snapshot> {
    const kept = { id: `snapshot-${++this.#count}`, at, wall, snapshot }
    this.#kept.set(kept.id, kept)
    return kept
  }

  all(): StoredSnapshot<Snapshot>[] {
    return [...this.#kept.values()]
  }

  /** @throws Refusal `unknown_snapshot` */
  get(id: string): StoredSnapshot<Snapshot> {
    const kept = this.#kept.get(id)
    if (kept !== undefined) return kept
    const known = [...this.#kept.keys()]
    throw new Refusal(
      'unknown_snapshot',
      `there is no snapshot ${JSON.stringify(id)}`,
      known.length === 0 ? 'take one first: POST /snapshots' : `there are ${known.join(', ')}`,
    )
  }

  /** Removes a snapshot from the list and returns it. @throws Refusal `unknown_snapshot` */
  remove(id: string): Snapshot {
    const { snapshot } = this.get(id)
    this.#kept.delete(id)
    return snapshot
  }
}
