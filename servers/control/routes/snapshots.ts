import type { HttpCall } from '../../../shared/http/http-call.js'
import { type Operation, operation } from '../../../shared/http/operation.js'
import { iso } from '../../../shared/schemas/instant.js'
import type { Controlled } from '../controlled.js'
import { clockStateOf } from '../schemas/clock.js'
import { resetAnswer, resetRequest, snapshotAnswer, snapshotsAnswer } from '../schemas/snapshot.js'
import { Snapshots } from '../snapshots.js'

/** To begin anew, and to go back to where one was. */
export function snapshotRoutes<Snapshot>(controlled: Controlled<Snapshot>): Operation[] {
  const { instance } = controlled
  const snapshots = new Snapshots<Snapshot>()
  const shown = ({ id, at, wall }: { id: string; at: number; wall: number }) => ({
    id,
    at: iso(at),
    wall: iso(wall),
  })
  const listed = () => ({ snapshots: snapshots.all().map(shown) })
  const named = ({ params }: HttpCall) => params.id ?? ''
  return [
    operation({
      method: 'POST',
      path: '/reset',
      summary: 'Begin anew, in a world; answers when all is in place',
      body: resetRequest,
      bodyCode: 'bad_world',
      answer: resetAnswer,
      refusals: [409, 503],
      async run({ body }) {
        await controlled.reset(body)
        return { clock: clockStateOf(instance.clock) }
      },
    }),
    operation({
      method: 'GET',
      path: '/snapshots',
      summary: 'The snapshots that are kept, the oldest first',
      answer: snapshotsAnswer,
      run: listed,
    }),
    operation({
      method: 'POST',
      path: '/snapshots',
      summary: 'Take a snapshot of everything; it is kept in this process',
      answer: snapshotAnswer,
      status: 201,
      refusals: [409, 503],
      async run() {
        snapshots.requireRoom()
        const at = instance.clock.now()
        return shown(snapshots.keep(await controlled.snapshot(), at, instance.machine.now()))
      },
    }),
    operation({
      method: 'POST',
      path: '/snapshots/:id/restore',
      summary: 'Go back to a snapshot; it is kept, and may be gone back to again',
      answer: resetAnswer,
      refusals: [404, 409, 503],
      async run({ call }) {
        await controlled.restore(snapshots.get(named(call)).snapshot)
        return { clock: clockStateOf(instance.clock) }
      },
    }),
    operation({
      method: 'DELETE',
      path: '/snapshots/:id',
      summary: 'Keep a snapshot no longer',
      answer: snapshotsAnswer,
      refusals: [404],
      async run({ call }) {
        await controlled.discard(snapshots.remove(named(call)))
        return listed()
      },
    }),
  ]
}
