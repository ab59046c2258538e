import { z } from 'zod'
import { strict } from '../util/check.js'
import { instant } from './instant.js'

/** `used`: a call has used the approval. `withdrawn`: the caller left before a decision. */
const approvalState = z.enum(['pending', 'approved', 'refused', 'used', 'withdrawn'])

export type ApprovalState = z.infer<typeof approvalState>

/**
 * An approval that a policy requires, either with Intercept's `require_approval` or with this project's own
 * approval rule.
 */
export const approval = z
  .strictObject({
    id: z.string(),
    state: approvalState,
    at: instant.describe('when the approval was requested, by the gateway’s clock'),
    expiresAt: instant.describe('end of the time to decide and use it, by the gateway’s clock'),
    grant: z.string(),
    tool: z.string(),
    argumentKeys: z.array(z.string()).readonly(),
    argsHash: z.string().nullable(),
    rule: z.string(),
    message: z.string(),
    server: z
      .string()
      .exactOptional()
      .describe('the server behind the gateway; absent if the gateway runs alone'),
  })
  .meta({ id: 'Approval' })

export type Approval = Readonly<z.infer<typeof approval>>

export const approvalsAnswer = z.strictObject({ approvals: z.array(approval) }).meta({ id: 'Approvals' })

export const decisionRequest = strict({ decision: z.enum(['approve', 'refuse']) }).meta({
  id: 'DecisionRequest',
})

export type ApprovalDecision = z.infer<typeof decisionRequest>['decision']
