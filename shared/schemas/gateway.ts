import { z } from 'zod'

/** The policy of a gateway. */
const policySummary = z.strictObject({
  name: z.string().describe('the file, as it was named'),
  dialect: z.enum(['intercept', 'policylayer', 'policylayer-page']),
})

export type PolicySummary = z.infer<typeof policySummary>

/** Null: there is no policy, or the policy did not come from a file. */
const policy = policySummary.nullable().describe('null: none, or no file')

export const gatewayAnswer = z
  .strictObject({
    name: z.string(),
    server: z.string().describe('the one behind it'),
    url: z.string().describe('where agents connect'),
    policy,
    grants: z
      .array(z.strictObject({ label: z.string(), policy }))
      .describe('the callers, each with a bearer; empty: every caller, with the one policy'),
    approvalHoldMs: z
      .int()
      .describe('milliseconds that a call waits for its approval; 0: it is refused at once'),
  })
  .meta({ id: 'Gateway' })

export type GatewayView = z.infer<typeof gatewayAnswer>

export const gatewaysAnswer = z.strictObject({ gateways: z.array(gatewayAnswer) }).meta({ id: 'Gateways' })
