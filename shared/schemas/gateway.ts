import { z } from 'zod'

/** The policy of a gateway. */
const policySummary = z.strictObject({
  name: z.string().describe('the policy file, as it was given at the start'),
  dialect: z.enum(['intercept', 'policylayer', 'policylayer-page']),
})

export type PolicySummary = z.infer<typeof policySummary>

/** Null: there is no policy, or the policy did not come from a file. */
const policy = policySummary.nullable().describe('null: no policy, or a policy that is not from a file')

export const gatewayAnswer = z
  .strictObject({
    name: z.string(),
    server: z.string().describe('the server behind the gateway'),
    url: z.string().describe('the URL to which agents connect'),
    policy,
    grants: z
      .array(z.strictObject({ label: z.string(), policy }))
      .describe('the callers that have their own bearer token; empty: the policy is for every caller'),
    approvalHoldMs: z
      .int()
      .describe('milliseconds that a call waits for its approval; 0: the call is refused at once'),
  })
  .meta({ id: 'Gateway' })

export type GatewayView = z.infer<typeof gatewayAnswer>

export const gatewaysAnswer = z.strictObject({ gateways: z.array(gatewayAnswer) }).meta({ id: 'Gateways' })
