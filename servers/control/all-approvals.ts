import type { ControlledApprovals } from '../../shared/http/approval-routes.js'
import type { ControlledGateways } from './controlled.js'
import { unknownApproval } from './unknown-approval.js'

/** The approvals of all gateways as one list, each with the server it is about; their ids are unique. */
export function allApprovals({ all }: ControlledGateways): ControlledApprovals {
  return {
    list: () =>
      all
        .flatMap(({ view: { server }, approvals }) => approvals.list().map(one => ({ ...one, server })))
        .sort((one, other) => Date.parse(one.at) - Date.parse(other.at)),
    decide(id, decision) {
      const owner = all.find(({ approvals }) => approvals.list().some(one => one.id === id))
      if (owner === undefined) throw unknownApproval(id)
      return { ...owner.approvals.decide(id, decision), server: owner.view.server }
    },
  }
}
