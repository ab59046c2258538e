import type { Approval, ApprovalDecision } from '../../schemas/approval.js'
import { doIt } from '../live/deeds.js'
import { pending } from '../live/gateways.js'
import { Countdown } from './countdown.js'

/** The calls that somebody has to decide, and the way to do so. */
export function PendingApprovals() {
  if (pending.value.length === 0) return null
  return (
    <ul class="approvals" aria-label="Waiting for your decision">
      {pending.value.map(approval => (
        <PendingApproval key={approval.id} approval={approval} />
      ))}
    </ul>
  )
}

function PendingApproval({
  approval: { id, tool, grant, argumentKeys, rule, at, expiresAt },
}: {
  approval: Approval
}) {
  const decide = (decision: ApprovalDecision) =>
    doIt<Approval>(
      'POST',
      `/approvals/${encodeURIComponent(id)}`,
      { decision },
      ({ state }) => `${tool} of ${grant}: ${state}`,
    )
  return (
    <li>
      <div>
        <span class="mono">{tool}</span> <span class="dim">of {grant}</span>
        <span class="second mono dim">
          {argumentKeys.length === 0 ? 'no arguments' : argumentKeys.join(', ')}
        </span>
        <span class="second mono rule">{rule}</span>
      </div>
      <Countdown from={at} to={expiresAt} what="to decide" />
      <div class="decide">
        <button
          type="button"
          class="approve"
          aria-label={`Approve ${tool} of ${grant}`}
          onClick={() => decide('approve')}
        >
          Approve
        </button>
        <button type="button" aria-label={`Refuse ${tool} of ${grant}`} onClick={() => decide('refuse')}>
          Refuse
        </button>
      </div>
    </li>
  )
}
