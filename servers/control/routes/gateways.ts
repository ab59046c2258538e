import type { Clock } from '../../../shared/clock/clock.js'
import { checkedOperation } from '../../../shared/http/checked-operation.js'
import type { Operation } from '../../../shared/http/operation.js'
import { auditAnswer, auditQuery, auditStreamQuery } from '../../../shared/schemas/audit.js'
import { gatewaysAnswer } from '../../../shared/schemas/gateway.js'
import { changeStream } from '../change-stream.js'
import type { ControlledGateways } from '../controlled.js'
import { matchesFilter } from '../gateway-record.js'

/** Returns the routes that list the gateways and their decisions. */
export function gatewayRoutes({ all, record }: ControlledGateways, machine: Clock): Operation[] {
  return [
    checkedOperation({
      method: 'GET',
      path: '/gateways',
      summary: 'The gateways in front of the servers',
      answer: gatewaysAnswer,
      run: () => ({ gateways: all.map(({ view }) => view) }),
    }),
    checkedOperation({
      method: 'GET',
      path: '/gateways/audit',
      summary: 'The decisions of the gateways, the oldest first',
      query: auditQuery,
      answer: auditAnswer,
      run: ({ query }) => record.page(query),
    }),
    changeStream({
      path: '/gateways/audit/stream',
      summary:
        'The decisions as events: audit, approval, cleared, and gap for decisions that are no longer kept',
      query: auditStreamQuery,
      source: record,
      machine,
      formatterOf({ after = 0, ...where }) {
        return event => {
          if (!matchesFilter(event, where)) return undefined
          if (event.kind === 'approval') return { name: 'approval', json: JSON.stringify(event.approval) }
          if (event.entry.seq <= after) return undefined
          return { name: 'audit', json: JSON.stringify(event.entry) }
        }
      },
    }),
  ]
}
