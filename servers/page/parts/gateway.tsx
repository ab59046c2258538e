import type { Approval, ApprovalDecision } from '../../../shared/schemas/approval.js'
import { busy, runAction } from '../live/actions.js'
import { audit, gateways, pending } from '../live/gateways.js'
import { counted, toolCommand } from '../model/format.js'
import { Countdown } from './countdown.js'
import { DecisionTable } from './decisions.js'
import { Empty, Section } from './elements.js'

/** Number of characters that are shown of a hash. They are enough to distinguish calls. */
const HASH_CHARS = 12

/** Shows the gateways, their decisions and pending approvals. Renders nothing without a gateway. */
export function GatewayPanel() {
  if (gateways.value.length === 0) return null
  const { decided, denied } = audit.value
  return (
    <Section
      id="gateway"
      title="Gateway"
      note={
        <>
          {counted(decided, 'call')} decided, {denied.toLocaleString('en')} denied
        </>
      }
    >
      <PendingApprovals />
      {decided === 0 ? <NoDecisions /> : <DecisionTable />}
    </Section>
  )
}

function NoDecisions() {
  const [gateway] = gateways.value
  const tool = gateway?.server === 'safebot' ? 'create_room' : 'list_resources'
  return (
    <Empty command={toolCommand(gateway?.url ?? null, tool)}>
      The gateway has not decided on a call yet. Decisions appear here as calls arrive. Send one:
    </Empty>
  )
}

/** Lists the pending approvals, with buttons to approve or deny each call. */
function PendingApprovals() {
  const waiting = pending.value.length
  return (
    <>
      {/* This element always exists, because a screen reader only announces changes in existing elements. */}
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
    runAction<Approval>(
      'POST',
      `/approvals/${encodeURIComponent(id)}`,
      { decision },
      () => `${decision === 'approve' ? 'Approved' : 'Refused'} ${tool} for ${grant}`,
    )
  return (
    <li>
      <div>
        <span class="mono">{tool}</span>
        <span class="second dim">
          {grant}
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
          <span class="mono">{rule}</span>: {message}
        </span>
      </div>
      <Countdown from={at} to={expiresAt} what="to decide" />
      <div class="decide">
        <button
          type="button"
          class="approve"
          aria-disabled={busy.value}
          aria-label={`Approve ${tool} for ${grant}`}
          onClick={() => decide('approve')}
        >
          Approve
        </button>
        <button
          type="button"
          aria-disabled={busy.value}
          aria-label={`Refuse ${tool} for ${grant}`}
          onClick={() => decide('refuse')}
        >
          Refuse
        </button>
      </div>
    </li>
  )
}
