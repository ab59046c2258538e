import { z } from 'zod'
import { strict } from '../util/check.js'
import { instant } from './instant.js'
import { wholeNumber } from './query.js'

/** The outcomes of a decision about a call. `approved` and `refused` come from an approval. */
export const AUDIT_OUTCOMES = ['allowed', 'denied', 'approved', 'refused'] as const

export type AuditOutcome = (typeof AUDIT_OUTCOMES)[number]

/**
 * The outcome of a call at the upstream. `lost`: the answer was missing or not readable. `unanswered`: the
 * call was a notification, or its answer came on another stream.
 */
const upstreamEnd = z.enum(['result', 'tool_error', 'rpc_error', 'cancelled', 'lost', 'unanswered'])

export type UpstreamEnd = z.infer<typeof upstreamEnd>

/** A call that the gateway forwarded to the upstream, and the outcome of the call there. */
const upstreamTrip = z.strictObject({
  ended: upstreamEnd,
  status: z.int().nullable().describe('HTTP status; null on a pipe, or if no answer arrived'),
  latencyMs: z.number().describe('milliseconds of machine time from the forwarding of the call to its end'),
  quota: z.enum(['kept', 'refunded']),
  entry: z
    .int()
    .nullable()
    .describe('seq of the call in the upstream’s journal; null if the answer has no header that names it'),
})

export type UpstreamTrip = z.infer<typeof upstreamTrip>

/**
 * A gateway's decision about one call. The entry contains only the names of the arguments, because their
 * values can be secrets.
 */
export const auditEntry = z.strictObject({
  seq: z.int(),
  at: instant.describe('ISO 8601, by the clock that the policy’s windows use'),
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
    .describe('the same hash as in the upstream’s journal; null if the arguments are nested too deeply'),
  outcome: z.enum(AUDIT_OUTCOMES),
  rule: z.string().nullable().describe('the rule that denied the call or required its approval'),
  message: z.string().nullable(),
  approval: z.string().nullable().describe('id of the approval that the call needed'),
  upstream: upstreamTrip.nullable(),
})

export type AuditEntry = Readonly<z.infer<typeof auditEntry>>

/** An entry in the common audit of all gateways of an instance. */
export const gatewayEntry = z
  .strictObject({
    ...auditEntry.shape,
    seq: z.int().describe('place in the common audit of all gateways of the instance'),
    server: z.string().describe('the server behind the gateway'),
  })
  .meta({ id: 'AuditEntry' })

export type GatewayEntry = Readonly<z.infer<typeof gatewayEntry>>

/** The query parameters that filter the entries. */
const where = {
  server: z.string().exactOptional().describe('safebot or instanode'),
  tool: z.string().exactOptional().describe('the tool name in the call'),
  outcome: z.enum(AUDIT_OUTCOMES).exactOptional(),
}

const after = wholeNumber(0).exactOptional().describe('only entries with a higher seq')

export const auditQuery = strict({
  ...where,
  after,
  limit: wholeNumber(1, 10_000).exactOptional().describe('maximum number of entries; default 1,000'),
})

export const auditStreamQuery = strict({ ...where, after })

/** A filter. An entry passes if it has all the given values. */
export type AuditFilter = Partial<Pick<GatewayEntry, keyof typeof where>>

export const auditAnswer = z
  .strictObject({
    entries: z.array(gatewayEntry),
    next: z.int().describe('send it as `after` to get the next entries'),
    dropped: z.int().describe('number of the oldest entries that are no longer kept'),
  })
  .meta({ id: 'AuditPage' })
