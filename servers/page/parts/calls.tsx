import type { Outcome as OutcomeName } from '../../../shared/journal/outcome.js'
import { maskSecrets } from '../../../shared/util/secrets.js'
import { calls, callView, dropped } from '../live/calls.js'
import { state } from '../live/state.js'
import { type LoggedCall, nameOf } from '../model/call-log.js'
import { counted, durationInWords, outcomeInWords, timeOfDay, toolCommand } from '../model/format.js'
import { CallDetails } from './call.js'
import { Empty, Section } from './elements.js'
import { type Column, LogTable } from './log-table.js'

/** Lists the calls to the servers, and adds new calls as they arrive. */
export function CallList() {
  const kept = calls.value.length
  return (
    <Section
      id="calls"
      title="Calls"
      note={
        <>
          {counted(kept + dropped.value, 'call')} reached the servers
          {dropped.value > 0 && `, the latest ${kept} are listed`}
        </>
      }
    >
      {kept === 0 ? (
        <NoCalls />
      ) : (
        <LogTable
          view={callView}
          one="call"
          label="Calls, the newest first"
          searched="caller, tool or server"
          columns={COLUMNS}
          heights={{ wide: 32, narrow: 52 }}
          details={call => <CallDetails call={call} />}
        />
      )}
    </Section>
  )
}

const COLUMNS: readonly Column<LoggedCall>[] = [
  { name: 'seq', title: '#', cell: ({ entry }) => entry.seq },
  {
    name: 'time',
    title: 'time',
    cell: ({ entry: { at } }) => <time title={at}>{timeOfDay(at)}</time>,
  },
  { name: 'caller', title: 'caller', cell: ({ entry }) => entry.caller },
  {
    name: 'name',
    title: 'call',
    opener: ({ entry }) => (
      <span class={entry.tool === null ? 'mono dim' : 'mono'}>{maskSecrets(nameOf(entry))}</span>
    ),
    cell: ({ entry }) => <span class="call-server dim">{entry.server}</span>,
  },
  { name: 'outcome', title: 'outcome', cell: ({ entry }) => <Outcome outcome={entry.outcome} /> },
  { name: 'took', title: 'took', cell: ({ entry }) => durationInWords(entry.durationMs) },
]

/** Shows the outcome of a call in words and in a colour. */
function Outcome({ outcome }: { outcome: OutcomeName | null }) {
  return <span class={`outcome outcome-${outcome ?? 'open'}`}>{outcomeInWords(outcome)}</span>
}

/** Replaces the list while there are no calls. Shows a command that makes one. */
function NoCalls() {
  const safebot = state.value?.safebot?.mcpUrl
  const instanode = state.value?.instanode?.mcpUrl ?? null
  const command = safebot ? toolCommand(safebot, 'create_room') : toolCommand(instanode, 'list_resources')
  return (
    <Empty command={command}>
      No call has reached the servers yet. Calls appear here as they arrive. Send one:
    </Empty>
  )
}
