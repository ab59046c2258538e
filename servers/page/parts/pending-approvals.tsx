import type { Approval, ApprovalDecision } from '../../../shared/schemas/approval.js'
import { busy, doIt } from '../live/deeds.js'
import { pending } from '../live/gateways.js'
import { counted } from '../model/words.js'
import { Countdown } from './countdown.js'

/** Enough to tell one call's arguments from another's, and to find them in the journal. */
const HASH_CHARS = 12

/** The calls that somebody has to decide, and the way to do so. */
export function PendingApprovals() {
  const waiting = pending.value.length
  return (
    <>
      {/* It is there from the beginning, for a screen reader to say what comes into it. */}
      <p class="approvals-count" role="status">
        {waiting > 0 && `${counted(waiting, 'call')} ${waiting === 1 ? 'waits' : 'wait'} for your decision`}
      </p>
      {waiting > 0 && (
        <ul class="approvals" aria-label="Waiting for your decision">
          {pending.value.map(approval => (
            <PendingApproval key={approval.id} approval={approval} />
          ))}
        </ul>
      )}
    </>
  )
}

function PendingApproval({
  approval: { id, tool, grant, server, argumentKeys, argsHash, rule, message, at, expiresAt },
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
        <span class="mono">{tool}</span>{' '}
        <span class="dim">
          of {grant}
          {server !== undefined && ` at ${server}`}
        </span>
        <span class="second mono dim">
          {argumentKeys.length === 0 ? 'no arguments' : argumentKeys.join(', ')}
          {argsHash !== null && (
            <span title={`hash of arguments: ${argsHash}`}>
              {' '}
              #{argsHash.replace('sha256:', '').slice(0, HASH_CHARS)}
            </span>
          )}
        </span>
        <span class="second">
          <span class="mono rule">{rule}</span> {message}
        </span>
      </div>
      <Countdown from={at} to={expiresAt} what="to decide" />
      <div class="decide">
        <button
          type="button"
          class="approve"
          aria-disabled={busy.value}
          aria-label={`Approve ${tool} of ${grant}`}
          onClick={() => decide('approve')}
        >
          Approve
        </button>
        <button
          type="button"
          aria-disabled={busy.value}
          aria-label={`Refuse ${tool} of ${grant}`}
          onClick={() => decide('refuse')}
        >
          Refuse
        </button>
      </div>
    </li>
  )
}
