import type { Approval } from '../../schemas/approval.js'

/**
 * The approvals that can be decided: nobody is told when the time of one is over.
 *
 * @param now the instance's time, in milliseconds
 */
export function pendingAt(approvals: Iterable<Approval>, now: number): Approval[] {
  return [...approvals].filter(({ state, expiresAt }) => state === 'pending' && Date.parse(expiresAt) > now)
}
