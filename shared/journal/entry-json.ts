import { z } from 'zod'
import { OUTCOMES, TRANSPORTS } from './outcome.js'

/** An entry as it is written: to a file, to a stream, in a page. */
export const entryJson = z
  .strictObject({
    seq: z.int().describe('1 for the first request of the instance'),
    at: z.string().describe('the instance’s clock, ISO 8601'),
    wall: z.string().describe('the machine’s time, ISO 8601'),
    server: z.string(),
    instance: z.string(),
    transport: z.enum(TRANSPORTS),
    session: z.string().nullable(),
    caller: z.string().describe('a handle, an account'),
    method: z.string().nullable(),
    tool: z.string().nullable(),
    arguments: z.unknown(),
    argsHash: z.string().nullable().describe('sha256: over compact JSON with sorted keys'),
    headers: z
      .record(z.string(), z.union([z.string(), z.array(z.string())]))
      .describe('secrets are masked, their presence is not'),
    outcome: z.enum(OUTCOMES).nullable().describe('null: it is under way'),
    durationMs: z.number().nullable(),
    requestBytes: z.int(),
    responseBytes: z.int(),
    raw: z.string().describe('the exact request body'),
    trace: z.string().nullable().describe('the trace id of its W3C traceparent'),
  })
  .meta({ id: 'JournalEntry' })

export type EntryJson = z.infer<typeof entryJson>
