import { z } from 'zod'
import { strict } from '../util/check.js'
import { whereSchema } from './where.js'

/** What may be asked of a page of the journal. */
export const pageSchema = strict({
  ...whereSchema.shape,
  after: z.int().min(0).exactOptional().describe('only entries with a higher seq'),
  limit: z.int().min(1).max(10_000).exactOptional().describe('how many at most; 1,000 if not given'),
})

export type PageRequest = z.input<typeof pageSchema>

/** How long to wait, and for how many. */
export const waitSchema = strict({
  count: z.int().min(1).max(10_000).exactOptional().describe('how many distinct entries; 1 if not given'),
  timeoutMs: z.int().min(0).exactOptional().describe('of the machine’s time; 5,000 if not given'),
})

export type WaitOptions = z.input<typeof waitSchema> & {
  /** Gives the wait up; it rejects with the signal's reason. */
  signal?: AbortSignal
}
