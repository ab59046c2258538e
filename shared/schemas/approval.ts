import { z } from 'zod'
import { strict } from '../util/check.js'
import { instant } from './instant.js'

/** `used`: a call has used the approval. `withdrawn`: the caller left before a decision. */
const approvalState = z.enum(['pending', 'approved', 'refused', 'used', 'withdrawn'])

export type ApprovalState = z.infer<typeof approvalState>

/** An approval, in Intercept's form or in this project's own form. */
export const approval = z
  .strictObject({
    id: z.string(),
    state: approvalState,
    at: instant.describe('when it was asked for, by the gateway’s clock'),
    expiresAt: instant.describe('until when it may be decided and used, likewise'),
    grant: z.string(),
    tool: z.string(),
    argumentKeys: z.array(z.string()).readonly(),
    argsHash: z.string().nullable(),
    rule: z.string(),
    message: z.string(),
    server: z
      .string()
      .exactOptional()
      .describe('the one behind the gateway; a gateway alone does not say it'),
  })
  .meta({ id: 'Approval' })

export type Approval = Readonly<z.infer<typeof approval>>

export const approvalsAnswer = z.strictObject({ approvals: z.array(approval) }).meta({ id: 'Approvals' })

export const decisionRequest = strict({ decision: z.enum(['approve', 'refuse']) }).meta({
  id: 'DecisionRequest',
})

export type ApprovalDecision = z.infer<typeof decisionRequest>['decision']
