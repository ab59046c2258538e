import {
  type Approval,
  type ApprovalDecision,
  approval,
  approvalsAnswer,
} from '../../../shared/schemas/approval.js'
import { type AuditFilter, auditAnswer, type GatewayEntry } from '../../../shared/schemas/audit.js'
import { type GatewayView, gatewaysAnswer } from '../../../shared/schemas/gateway.js'
import { type GatewayEvent, gatewayEventOf } from './events.js'
import { type Exchange, queryOf, type Resumption } from './http.js'

/** The gateways in front of the servers, as seen over HTTP. */
export class ControlledGateways {
  readonly #exchange: Exchange

  constructor(exchange: Exchange) {
    this.#exchange = exchange
  }

  async list(): Promise<GatewayView[]> {
    return (await this.#exchange.read({ method: 'GET', path: '/gateways' }, gatewaysAnswer)).gateways
  }

  /** What they made of calls, the oldest first. */
  audit(
    request: AuditFilter & { after?: number; limit?: number } = {},
  ): Promise<{ entries: GatewayEntry[]; next: number; dropped: number }> {
    const path = `/gateways/audit${queryOf(request)}`
    return this.#exchange.read({ method: 'GET', path }, auditAnswer)
  }

  /** The same as it comes, and approvals whenever they are asked for or change. */
  async *stream({
    lastEventId,
    signal,
    ...request
  }: AuditFilter & Resumption = {}): AsyncGenerator<GatewayEvent> {
    const path = `/gateways/audit/stream${queryOf(request)}`
    for await (const event of this.#exchange.events(path, { lastEventId, signal }))
      yield gatewayEventOf(event)
  }

  /** The calls that somebody has to approve, the oldest first. */
  async approvals(): Promise<Approval[]> {
    return (await this.#exchange.read({ method: 'GET', path: '/approvals' }, approvalsAnswer)).approvals
  }

  /** @throws ControlError `unknown_approval`; `approval_decided` if it is pending no more */
  decide(id: string, decision: ApprovalDecision): Promise<Approval> {
    const path = `/approvals/${encodeURIComponent(id)}`
    return this.#exchange.read({ method: 'POST', path, body: { decision } }, approval)
  }
}
