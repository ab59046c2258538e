import { z } from 'zod'
import { strict } from '../util/check.js'
import { instant } from './instant.js'
import { wholeNumber } from './query.js'

/** The decision about a call. `approved` and `refused` come from an approval. */
export const AUDIT_OUTCOMES = ['allowed', 'denied', 'approved', 'refused'] as const

export type AuditOutcome = (typeof AUDIT_OUTCOMES)[number]

/** The outcome of a call at the upstream. `lost`: the answer was missing or not readable. */
const upstreamEnd = z.enum(['result', 'tool_error', 'rpc_error', 'cancelled', 'lost', 'unanswered'])

export type UpstreamEnd = z.infer<typeof upstreamEnd>

/** The forwarding of a call to the upstream, and its outcome there. */
const upstreamTrip = z.strictObject({
  ended: upstreamEnd,
  status: z.int().nullable().describe('of HTTP; null on a pipe, or if none came'),
  latencyMs: z.number().describe('machine milliseconds from when it was let on to how it ended'),
  quota: z.enum(['kept', 'refunded']),
  entry: z
    .int()
    .nullable()
    .describe('seq of the call in the upstream’s journal, where that stamps its answers over HTTP'),
})

export type UpstreamTrip = z.infer<typeof upstreamTrip>

/**
 * A call on which a gateway decided. It contains only the names of the arguments, because their values may be
 * secrets.
 */
export const auditEntry = z.strictObject({
  seq: z.int(),
  at: instant.describe('by the clock that the policy’s windows go by, ISO 8601'),
  grant: z.string(),
  session: z.string().nullable(),
  protocol: z
    .string()
    .nullable()
    .describe('the MCP revision of the call; null if neither the call nor its session names one'),
  requestId: z.union([z.string(), z.number()]).nullable().describe('null for a notification'),
  tool: z.string(),
  argumentKeys: z.array(z.string()).readonly(),
  argsHash: z
    .string()
    .nullable()
    .describe('that of the upstream’s journal; null if the arguments are nested too deeply to be hashed'),
  outcome: z.enum(AUDIT_OUTCOMES),
  rule: z.string().nullable().describe('the rule that denied it or had it approved'),
  message: z.string().nullable(),
  approval: z.string().nullable().describe('the approval it waited for'),
  upstream: upstreamTrip.nullable(),
})

export type AuditEntry = Readonly<z.infer<typeof auditEntry>>

/** An entry in the common audit of all gateways of an instance. */
export const gatewayEntry = z
  .strictObject({
    ...auditEntry.shape,
    seq: z.int().describe('in the record of all gateways of the instance'),
    server: z.string().describe('the one behind the gateway'),
  })
  .meta({ id: 'AuditEntry' })

export type GatewayEntry = Readonly<z.infer<typeof gatewayEntry>>

/** The fields of a filter for entries, in a URL. */
const where = {
  server: z.string().exactOptional().describe('safebot or instanode'),
  tool: z.string().exactOptional().describe('as it was called'),
  outcome: z.enum(AUDIT_OUTCOMES).exactOptional(),
}

const after = wholeNumber(0).exactOptional().describe('only entries with a higher seq')

export const auditQuery = strict({
  ...where,
  after,
  limit: wholeNumber(1, 10_000).exactOptional().describe('how many at most; 1,000 if not given'),
})

export const auditStreamQuery = strict({ ...where, after })

/** A filter: fields and the values that an entry must have. */
export type AuditFilter = Partial<Pick<GatewayEntry, keyof typeof where>>

export const auditAnswer = z
  .strictObject({
    entries: z.array(gatewayEntry),
    next: z.int().describe('to be given as after for what comes next'),
    dropped: z.int().describe('how many of the oldest are no longer kept'),
  })
  .meta({ id: 'AuditPage' })
