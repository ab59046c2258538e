import type { GatewayEntry } from '../../../shared/schemas/audit.js'
import { audit, gateways } from '../live/gateways.js'
import { counted, durationInWords, timeOfDay } from '../model/words.js'
import { Section } from './elements.js'
import { Empty } from './empty.js'
import { PendingApprovals } from './pending-approvals.js'
import { Scrolled } from './scrolled.js'

/** What agents asked for, and what gateways made of it; nothing without a gateway. */
export function Gateway() {
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
    <Scrolled label="What the gateways made of calls" class="audit">
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
