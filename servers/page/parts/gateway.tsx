import type { Approval, ApprovalDecision } from '../../../shared/schemas/approval.js'
import type { GatewayEntry } from '../../../shared/schemas/audit.js'
import { busy, runAction } from '../live/actions.js'
import { audit, gateways, pending } from '../live/gateways.js'
import { counted, durationInWords, timeOfDay } from '../model/format.js'
import { Countdown } from './countdown.js'
import { Empty, Scrolled, Section } from './elements.js'

/** Number of characters that are shown of the hash of arguments. They are enough to tell calls apart. */
const HASH_CHARS = 12

/** Shows the gateways, their decisions and pending approvals. Renders nothing without a gateway. */
export function GatewayPanel() {
  if (gateways.value.length === 0) return null
  const { asked, denied } = audit.value
  return (
    <Section
      id="gateway"
      title="Gateway"
      note={
        <>
          {counted(asked, 'call')} asked for, {denied.toLocaleString('en')} denied
        </>
      }
    >
      <PendingApprovals />
      {asked === 0 ? <NothingAsked /> : <AuditTable />}
    </Section>
  )
}

function NothingAsked() {
  const [gateway] = gateways.value
  return (
    <Empty
      command={`curl -s ${gateway?.url} -H 'Content-Type: application/json' \\\n  -d '{"jsonrpc":"2.0","id":1,"method":"tools/list"}'`}
    >
      Nobody has asked {gateway?.name} for a call. What is asked, and what its policy makes of that, is shown
      here.
    </Empty>
  )
}

function AuditTable() {
  return (
    <Scrolled label="Decisions of the gateways" class="audit">
      <table>
        <thead>
          <tr>
            <th>time</th>
            <th>asked for</th>
            <th>decision</th>
            <th>upstream</th>
          </tr>
        </thead>
        <tbody>
          {audit.value.entries.map(entry => (
            <AuditRow key={entry.seq} entry={entry} />
          ))}
        </tbody>
      </table>
    </Scrolled>
  )
}

function AuditRow({ entry }: { entry: GatewayEntry }) {
  const { at, tool, grant, server, outcome, rule, message, upstream } = entry
  return (
    <tr class={`audit-${outcome}`}>
      <td class="num dim" title={at}>
        {timeOfDay(at)}
      </td>
      <td>
        <span class="mono">{tool}</span>
        <span class="second dim">
          {grant} at {server}
        </span>
      </td>
      <td>
        <span class={`decision decision-${outcome}`}>{outcome}</span>
        {rule !== null && <span class="second mono rule">{rule}</span>}
        {message !== null && <span class="second dim rule">{message}</span>}
      </td>
      <td>
        {upstream === null ? (
          <span class="dim">not reached</span>
        ) : (
          <>
            {upstream.ended.replace('_', ' ')}
            <span class="second dim num">{durationInWords(upstream.latencyMs)}</span>
          </>
        )}
      </td>
    </tr>
  )
}

/** Lists the pending approvals, with buttons to approve or deny each call. */
function PendingApprovals() {
  const waiting = pending.value.length
  return (
    <>
      {/* This element is never removed, because a screen reader only announces changes in existing elements. */}
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
