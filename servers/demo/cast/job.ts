import { z } from 'zod'

/** What a worker is told to do: to claim a task of a room, and work on it. */
export const job = z.strictObject({
  reach: z.strictObject({ url: z.string(), headers: z.record(z.string(), z.string()) }),
  room: z.string(),
})

export type Job = z.infer<typeof job>

/** What `claim_task` returns, as far as a worker needs it. */
export const claimed = z.object({
  claim_id: z.string(),
  task: z.object({ seq: z.int(), text: z.string() }),
})

export type Claimed = z.infer<typeof claimed>
