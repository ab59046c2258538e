import { z } from 'zod'
import { ToolCall } from './agents.js'
import { assertDifferent, assertEqual } from './assertions.js'
import type { Narrator } from './narrator.js'
import type { Stage } from './stage.js'

/** A lease lasts up to and including its sixtieth second. */
const PAST_LEASE_MS = 60_001

const TASKS = ['resize the photos', 'mail the invoice']

const claimSchema = z.object({
  claim_id: z.string(),
  task: z.object({ seq: z.int(), text: z.string() }),
})

/** A worker crashes with a claimed task. After the lease, a second worker gets the task. */
export async function crashWorker(stage: Stage, narrator: Narrator): Promise<void> {
  const { ana, ben, understudy } = stage
  const { clock, journal } = understudy
  narrator.about(
    'The lease of a claimed task lasts 60 seconds. A task that is not acknowledged by then is delivered again.',
    'Ben has two workers under his handle. The first runs in a process of its own.',
  )

  const { url } = (await ana.safebot.call('create_room')).returned(z.object({ url: z.string() }))
  for (const text of TASKS) (await ana.safebot.call('send_message', { url, text })).returned(z.object({}))
  assertEqual('messages in the journal', journal.entries({ tool: 'send_message' }).length, TASKS.length)
  await narrator.step(
    'ana',
    `creates a room and sends two tasks: ${TASKS.map(text => `"${text}"`).join(', ')}`,
    'both sent',
    `reached: ${TASKS.length} messages in the journal`,
  )

  const worker = stage.startWorker()
  const firstCall = await ToolCall.observe(journal, 'claim_task', () =>
    worker.claim({ endpoint: stage.workerEndpoint, room: url }),
  )
  const first = firstCall.returned(claimSchema)
  assertEqual('the task', first.task.text, TASKS[0])
  await narrator.step(
    'ben/1',
    `calls claim_task, as process ${worker.pid}`,
    `"${first.task.text}", claim ${short(first.claim_id)}`,
    firstCall.upstream,
  )

  assertEqual('the signal that ended the worker', await worker.crash(), 'SIGKILL')
  journal.expectNothing({ tool: 'ack_task' })
  await narrator.step('ben/1', `crashes: kill -9 ${worker.pid}`, undefined, 'no ack_task in the journal')

  await clock.advance(PAST_LEASE_MS)
  await narrator.step('clock', '+60 s and 1 ms: the lease ends')
  const secondCall = await ben.safebot.call('claim_task', { url, timeout_seconds: 1 })
  const second = secondCall.returned(claimSchema)
  assertEqual('the task', second.task, first.task)
  assertDifferent('the claim', second.claim_id, first.claim_id)
  await narrator.step(
    'ben/2',
    'calls claim_task',
    `"${second.task.text}" again, under the new claim ${short(second.claim_id)}`,
    secondCall.upstream,
  )

  const acknowledge = ({ claim_id, task: { seq } }: typeof first) =>
    ben.safebot.call('ack_task', { url, claim_id, seq })
  const stale = await acknowledge(first)
  assertEqual('whether the error is a 409', stale.rejected().includes('409'), true)
  await narrator.step(
    'ben/2',
    `calls ack_task under the claim of the crashed worker, ${short(first.claim_id)}`,
    'rejected by Safebot: 409, a stale claim',
    stale.upstream,
  )
  const acknowledged = await acknowledge(second)
  const { advanced } = acknowledged.returned(z.object({ advanced: z.boolean() }))
  assertEqual('whether the cursor moved', advanced, true)
  await narrator.step(
    'ben/2',
    `calls ack_task under the new claim, ${short(second.claim_id)}`,
    'acknowledged',
    acknowledged.upstream,
  )
}

/** Shortens an id for reading. */
function short(id: string): string {
  return `${id.slice(0, 8)}…`
}
