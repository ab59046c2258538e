import { z } from 'zod'
import { entryJson } from '../../../shared/journal/entry.js'
import { OUTCOMES, TRANSPORTS } from '../../../shared/journal/outcome.js'
import { waitSchema, whereSchema } from '../../../shared/journal/where.js'
import { jsonObject, textOrNone, wholeNumber, yesOrNo } from '../../../shared/schemas/query.js'
import { strict } from '../../../shared/util/check.js'

/** The fields of a URL query that select entries of the journal. */
const where = {
  server: z.string().exactOptional().describe('safebot or instanode'),
  tool: textOrNone
    .exactOptional()
    .describe('name of the tool in the call. Empty: only requests that call no tool'),
  caller: z.string().exactOptional(),
  outcome: z.enum(OUTCOMES).exactOptional(),
  method: textOrNone.exactOptional(),
  session: textOrNone.exactOptional(),
  transport: z.enum(TRANSPORTS).exactOptional(),
  argsHash: textOrNone.exactOptional(),
  trace: textOrNone.exactOptional(),
  instance: z
    .string()
    .exactOptional()
    .describe('name of the replica that the request reached, if replicas share a store'),
  arguments: jsonObject
    .exactOptional()
    .describe('a JSON object. The arguments of the call must contain its members'),
  unknown: yesOrNo.exactOptional().describe('1: accept the name of a tool or method that no server has'),
}

const after = wholeNumber(0).exactOptional().describe('only entries with a higher seq')

export const pageQuery = strict({
  ...where,
  after,
  limit: wholeNumber(1, 10_000).exactOptional().describe('maximum number of entries. Default: 1,000'),
})

export const streamQuery = strict({ ...where, after })

export const pageAnswer = z
  .strictObject({
    entries: z.array(entryJson),
    next: z.int().describe('the value of after that gets the next page'),
    dropped: z.int().describe('number of the oldest entries that are no longer kept'),
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
        'the answer as it was given to the transport. null: there is none, or it is no longer kept because it is too long or too old',
      ),
  })
  .meta({ id: 'AnsweredEntry' })

export const waitRequest = strict({ where: whereSchema, ...waitSchema.shape }).meta({ id: 'WaitRequest' })

export const waitAnswer = z.strictObject({ entries: z.array(entryJson) }).meta({ id: 'Awaited' })

export const nothingRequest = strict({ where: whereSchema.exactOptional() }).meta({ id: 'NothingRequest' })

export const proven = z.strictObject({ ok: z.literal(true) }).meta({ id: 'Proven' })
