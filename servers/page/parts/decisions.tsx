import type { GatewayEntry } from '../../../shared/schemas/audit.js'
import { maskSecrets } from '../../../shared/util/secrets.js'
import { calls } from '../live/calls.js'
import { decisionView } from '../live/gateways.js'
import { durationInWords, timeOfDay } from '../model/format.js'
import { callOf } from '../model/gateway-log.js'
import { Facts } from './elements.js'
import { type Column, LogTable } from './log-table.js'

/** Lists the decisions of the gateways. */
export function DecisionTable() {
  return (
    <LogTable
      view={decisionView}
      one="decision"
      label="Decisions of the gateways, the newest first"
      searched="tool, caller, server or rule"
      columns={COLUMNS}
      heights={{ wide: 52, narrow: 52 }}
      details={decision => <DecisionDetails decision={decision} />}
    />
  )
}

const COLUMNS: readonly Column<GatewayEntry>[] = [
  { name: 'time', title: 'time', cell: ({ at }) => <time title={at}>{timeOfDay(at)}</time> },
  {
    name: 'name',
    title: 'call',
    opener: ({ tool }) => <span class="mono">{maskSecrets(tool)}</span>,
    cell: ({ grant, server }) => (
      <span class="second dim">
        {grant} at {server}
      </span>
    ),
  },
  {
    name: 'verdict',
    title: 'decision',
    cell: ({ outcome, rule, message }) => (
      <>
        <span class={`judged judged-${outcome}`}>{outcome}</span>
        <span class="mono">{rule}</span>
        {message !== null && (
          <span class="second dim" title={message}>
            {message}
          </span>
        )}
      </>
    ),
  },
  { name: 'upstream', title: 'upstream', cell: entry => <Upstream decision={entry} /> },
]

/** Shows how a call ended at the server, with a link to the call. */
function Upstream({ decision }: { decision: GatewayEntry }) {
  if (decision.upstream === null) return <span class="dim">not reached</span>
  const { ended, latencyMs } = decision.upstream
  const call = callOf(decision, calls.value)
  return (
    <>
      {ended.replace('_', ' ')}
      <span class="second dim num">
        <span class="decision-took">{durationInWords(latencyMs)} </span>
        {call !== undefined && (
          <a href={`#call-${call}`} title="Open this call in the list of calls">
            call {call}
          </a>
        )}
      </span>
    </>
  )
}

function DecisionDetails({ decision }: { decision: GatewayEntry }) {
  const { server, grant, session, protocol, requestId, argumentKeys, argsHash } = decision
  const { rule, message, approval, upstream, at } = decision
  return (
    <Facts
      facts={{
        grant,
        server,
        session,
        'protocol revision': protocol,
        'request id': requestId === null ? null : `${requestId}`,
        'argument names': argumentKeys.join(', ') || null,
        'hash of arguments': argsHash,
        rule,
        reason: message,
        approval,
        'answer of the server':
          upstream === null ? 'none, the call did not reach it' : upstream.ended.replace('_', ' '),
        'HTTP status': upstream?.status ? `${upstream.status}` : null,
        quota: upstream?.quota ?? null,
        'time, gateway clock': at,
      }}
    />
  )
}
