import type { FaultTable } from '../../../shared/faults/table.js'

/**
 * What goes wrong with the acknowledgement that `next_task` makes by itself, in the words of its warning: a fault that
 * is set for `ack_task` and due on it. Undefined if it may be made.
 */
export function ackFault(faults: FaultTable): string | undefined {
  const act = faults.dueInside('safebot', 'ack_task')
  if (act === undefined) return undefined
  if ('toolError' in act) return act.toolError
  if (!('httpStatus' in act)) return undefined
  const { httpStatus, body = '' } = act
  return `ack failed: ${httpStatus} ${typeof body === 'string' ? body : JSON.stringify(body)}`.trimEnd()
}
