import { Refusal } from '../errors.js'
import {
  type Approval,
  type ApprovalDecision,
  approval,
  approvalsAnswer,
  decisionRequest,
} from '../schemas/approval.js'
import { checkedOperation } from './checked-operation.js'
import { type Operation, paramOf } from './operation.js'

/** The approvals that a control plane can list and decide. */
export interface ControlledApprovals {
  /** All that are remembered, the oldest first. */
  list(): Approval[]
  /**
   * Decides a pending one.
   *
   * @throws Refusal `unknown_approval`; `approval_decided` if it is pending no more
   */
  decide(id: string, decision: ApprovalDecision): Approval
}

/** The routes that list and decide pending approvals, for the control plane and a gateway's own port. */
export function approvalRoutes(approvals: ControlledApprovals): Operation[] {
  return [
    checkedOperation({
      method: 'GET',
      path: '/approvals',
      summary: 'The calls that need an approval, the oldest first',
      answer: approvalsAnswer,
      run: () => ({ approvals: approvals.list() }),
    }),
    checkedOperation({
      method: 'POST',
      path: '/approvals/:id',
      summary: 'Approve or refuse a call; what is held for it goes through, or is denied',
      body: decisionRequest,
      bodyCode: 'bad_decision',
      answer: approval,
      refusals: [404, 409],
      run: ({ body, request }) => approvals.decide(paramOf(request, 'id'), body.decision),
    }),
  ]
}

/** Returns the refusal for an unknown approval. */
export function unknownApproval(id: string): Refusal {
  const hint = 'it never existed or has expired: list the pending approvals'
  return new Refusal('unknown_approval', `there is no approval ${JSON.stringify(id)}`, hint)
}
