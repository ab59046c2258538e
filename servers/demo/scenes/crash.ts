import { z } from 'zod'
import { Called } from '../cast/called.js'
import { claimed } from '../cast/job.js'
import { witnessed } from '../cast/witness.js'
import { different, same } from '../show/as-narrated.js'
import type { Narrator } from '../show/narrator.js'
import type { Stage } from '../stage.js'

/** A lease is good up to and including its sixtieth second. */
const LEASE_AND_OVER_MS = 60_001

const TASKS = ['resize the photos', 'mail the invoice']

/** A worker dies over a task, and its successor gets it. */
export async function crash(stage: Stage, tell: Narrator): Promise<void> {
  const { understudy } = stage
  const { ana, ben } = stage.agents
  tell.about(
    'A claimed task is held for 60 seconds. Not acknowledged by then, it is delivered again. Ben has two workers',
    'under his handle; the first is a process of its own.',
  )

  const room = await ana.safebot.call('create_room')
  const { url } = room.returned(z.object({ url: z.string() }))
  for (const text of TASKS) (await ana.safebot.call('send_message', { url, text })).returned(z.object({}))
  await tell.step({
    who: 'ana',
    does: `opens a room and sends two tasks: ${TASKS.map(text => `"${text}"`).join(', ')}`,
    saw: 'both sent, sealed with the key of the room',
    upstream: `reached: ${understudy.journal.entries({ tool: 'send_message' }).length} messages in the journal`,
  })

  const worker = stage.worker()
  const { result, entries } = await witnessed(understudy.journal, () =>
    worker.claim({ reach: stage.benInRooms, room: url }),
  )
  const claiming = new Called('claim_task', result, entries)
  const lost = claiming.returned(claimed)
  same('the task', lost.task.text, TASKS[0])
  await tell.step({
    who: 'ben/1',
    does: `calls claim_task, as process ${worker.pid}`,
    saw: `"${lost.task.text}", claim ${short(lost.claim_id)}`,
    upstream: claiming.upstream,
  })

  same('what ended the worker', await worker.crash(), 'SIGKILL')
  understudy.journal.expectNothing({ tool: 'ack_task' })
  await tell.step({
    who: 'ben/1',
    does: `crashes: kill -9 ${worker.pid}`,
    upstream: 'no ack_task in the journal',
  })

  await understudy.clock.advance(LEASE_AND_OVER_MS)
  await tell.step({ who: 'clock', does: '+60 s, and a millisecond: the lease is over' })
  const again = await ben.safebot.call('claim_task', { url, timeout_seconds: 1 })
  const found = again.returned(claimed)
  same('the task', found.task, lost.task)
  different('the claim', found.claim_id, lost.claim_id)
  await tell.step({
    who: 'ben/2',
    does: 'calls claim_task',
    saw: `"${found.task.text}" again, claim ${short(found.claim_id)}: delivered anew`,
    upstream: again.upstream,
  })

  const stale = await ack(lost)
  same('whether it says so', stale.refused().includes('409'), true)
  await tell.step({
    who: 'ben/2',
    does: `calls ack_task under the claim of the dead worker, ${short(lost.claim_id)}`,
    saw: 'refused by Safebot: 409, a stale claim',
    refused: true,
    upstream: stale.upstream,
  })
  const acked = await ack(found)
  same('whether the cursor moved', acked.returned(z.object({ advanced: z.boolean() })), { advanced: true })
  await tell.step({
    who: 'ben/2',
    does: `calls ack_task under its own, ${short(found.claim_id)}`,
    saw: 'acknowledged',
    upstream: acked.upstream,
  })

  function ack({ claim_id, task: { seq } }: typeof lost): Promise<Called> {
    return ben.safebot.call('ack_task', { url, claim_id, seq })
  }
}

/** Enough of an id to tell it from another. */
function short(id: string): string {
  return `${id.slice(0, 8)}…`
}
