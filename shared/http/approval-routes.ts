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
  /** Returns all stored approvals, the oldest first. */
  list(): Approval[]
  /**
   * Decides a pending approval.
   *
   * @throws Refusal `unknown_approval`, or `approval_decided` if the approval is no longer pending
   */
  decide(id: string, decision: ApprovalDecision): Approval
}

/**
 * Returns the routes that list and decide approvals. The control plane and the gateway's approvals port use
 * them.
 */
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
      summary: 'Approve or refuse a call. The call that waits for the decision is then forwarded or denied',
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
