import type { Approval } from '../../../shared/schemas/approval.js'

/**
 * Of those that are pending, the approvals that can be decided: nobody is told when the time of one is over.
 *
 * @param now the instance's time, in milliseconds
 */
export function pendingAt(pending: Iterable<Approval>, now: number): Approval[] {
  return [...pending].filter(({ expiresAt }) => Date.parse(expiresAt) > now)
}

/**
 * The approvals that are pending once these have turned up or turned into something else.
 *
 * @param turned in the order they did
 */
export function withTurned(
  pending: ReadonlyMap<string, Approval>,
  turned: readonly Approval[],
): ReadonlyMap<string, Approval> {
  const all = new Map(pending)
  for (const approval of turned) {
    if (approval.state === 'pending') all.set(approval.id, approval)
    else all.delete(approval.id)
  }
  return all
}
