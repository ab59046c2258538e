import { z } from 'zod'
import { TRANSPORTS } from '../journal/entry.js'
import { instant } from '../schemas/instant.js'

/** A request that has not been answered yet: one that is parked, as a rule. */
export const callUnderWay = z
  .strictObject({
    seq: z.int().describe('of its entry in the journal'),
    caller: z.string(),
    method: z.string(),
    tool: z.string().nullable(),
    transport: z.enum(TRANSPORTS),
    session: z.string().nullable(),
    since: instant,
    forMs: z.int().describe('of the instance’s time'),
  })
  .meta({ id: 'CallUnderWay' })

export type CallUnderWay = z.infer<typeof callUnderWay>
