import { z } from 'zod'
import { oneKind, strict } from '../util/check.js'

/** Below this no answer fits, whatever the id of its request, within reason. */
const SMALLEST_BYTES = 128
const LARGEST_BYTES = 64 * 1024 * 1024

const on = z.literal(true)

/** On which of the calls that match it a fault comes: they are counted from 1. */
const when = oneKind('when', {
  nth: strict({ nth: z.int().min(1) }),
  first: strict({ first: z.int().min(1) }),
  every: strict({ every: z.int().min(1) }),
  always: strict({ always: on }),
})

/** What a fault does to a call; where each takes effect is in the table of README.md beside this. */
const action = oneKind('fault', {
  delayMs: strict({ delayMs: z.int().min(0) }),
  toolError: strict({ toolError: z.string() }),
  rpcError: strict({ rpcError: strict({ code: z.int(), message: z.string() }) }),
  httpStatus: strict({
    httpStatus: z.int().min(200).max(599),
    body: z.union([z.string(), z.record(z.string(), z.unknown())]).exactOptional(),
  }),
  hang: strict({ hang: on }),
  drop: strict({ drop: z.enum(['before', 'after']) }),
  crash: strict({ crash: on }),
  bytes: strict({ bytes: z.int().min(SMALLEST_BYTES).max(LARGEST_BYTES) }),
  malformed: strict({ malformed: z.enum(['json', 'sse', 'truncated']) }),
  gzip: strict({ gzip: on }),
})

/** Trouble to come, on certain calls of a tool. */
export const faultSchema = strict({
  server: z.string(),
  tool: z.string().describe('its genuine name, or * for every call of a tool'),
  when,
  do: action,
})

export type Fault = z.infer<typeof faultSchema>
export type FaultAction = Fault['do']

/** Whether a fault comes on the `count`-th call that matches it. */
export function isDue(when: Fault['when'], count: number): boolean {
  if ('nth' in when) return count === when.nth
  if ('first' in when) return count <= when.first
  if ('every' in when) return count % when.every === 0
  return true
}
