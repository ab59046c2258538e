import { z } from 'zod'
import { connectClient } from './agents.js'

const job = z.strictObject({
  endpoint: z.strictObject({ url: z.string(), headers: z.record(z.string(), z.string()) }),
  room: z.string(),
})

/** A message to a worker: claim a task of this room, at this gateway. */
export type Job = z.infer<typeof job>

/**
 * The program of a worker: claims a task, sends the result to its parent, and stays connected until it is killed.
 * It exits when the demo exits.
 */
process.once('disconnect', () => process.exit(1))
process.once('message', async message => {
  const { endpoint, room } = job.parse(message)
  const client = await connectClient(endpoint)
  process.send?.(await client.callTool({ name: 'claim_task', arguments: { url: room, timeout_seconds: 1 } }))
})
