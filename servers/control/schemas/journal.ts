import { z } from 'zod'
import { entryJson } from '../../../shared/journal/entry.js'
import { OUTCOMES, TRANSPORTS } from '../../../shared/journal/outcome.js'
import { waitSchema, whereSchema } from '../../../shared/journal/where.js'
import { jsonObject, textOrNone, wholeNumber, yesOrNo } from '../../../shared/schemas/query.js'
import { strict } from '../../../shared/util/check.js'

/** The fields of a URL query that select entries of the journal. */
const where = {
  server: z.string().exactOptional().describe('safebot or instanode'),
  tool: textOrNone.exactOptional().describe('as it was called; empty: none was'),
  caller: z.string().exactOptional(),
  outcome: z.enum(OUTCOMES).exactOptional(),
  method: textOrNone.exactOptional(),
  session: textOrNone.exactOptional(),
  transport: z.enum(TRANSPORTS).exactOptional(),
  argsHash: textOrNone.exactOptional(),
  trace: textOrNone.exactOptional(),
  instance: z.string().exactOptional().describe('the name of a replica, where a store is shared'),
  arguments: jsonObject.exactOptional().describe('a part of the arguments, as JSON'),
  unknown: yesOrNo.exactOptional().describe('allows a tool or a method that no server has'),
}

const after = wholeNumber(0).exactOptional().describe('only entries with a higher seq')

export const pageQuery = strict({
  ...where,
  after,
  limit: wholeNumber(1, 10_000).exactOptional().describe('how many at most; 1,000 if not given'),
})

export const streamQuery = strict({ ...where, after })

export const pageAnswer = z
  .strictObject({
    entries: z.array(entryJson),
    next: z.int().describe('to be given as after for what comes next'),
    dropped: z.int().describe('how many of the oldest are no longer kept'),
  })
  .meta({ id: 'JournalPage' })

export const entryPath = strict({ seq: wholeNumber(1) })

export const entryAnswer = z
  .strictObject({
    entry: entryJson,
    answer: z
      .string()
      .nullable()
      .describe(
        'as it was handed to the transport; null: there is none, or it was too long or too long ago to be kept',
      ),
  })
  .meta({ id: 'AnsweredEntry' })

export const waitRequest = strict({ where: whereSchema, ...waitSchema.shape }).meta({ id: 'WaitRequest' })

export const waitAnswer = z.strictObject({ entries: z.array(entryJson) }).meta({ id: 'Awaited' })

export const nothingRequest = strict({ where: whereSchema.exactOptional() }).meta({ id: 'NothingRequest' })

export const proven = z.strictObject({ ok: z.literal(true) }).meta({ id: 'Proven' })
