import type { Fault } from '../../../shared/faults/fault.js'
import type { Overlay } from '../../../shared/overlays/overlay.js'
import { faults, overlays } from '../live/state.js'
import { counted, curl, deedInWords, whenInWords } from '../model/format.js'
import { Empty, Section, Table } from './elements.js'

/** Lists the faults, with the number of times that each was applied. */
export function Faults() {
  return (
    <Changes
      id="faults"
      title="Faults"
      empty="No faults are set. This command drops the answer to the first ack_task:"
      path="/faults"
      example={{ faults: [{ server: 'safebot', tool: 'ack_task', when: { nth: 1 }, do: { drop: 'after' } }] }}
      counts="hits"
      rows={faults.value.map(({ server, tool, method, when, do: deed, hits }) => ({
        name: tool === '*' ? 'every tool' : method === '*' ? 'every request' : (tool ?? method),
        server,
        deed,
        when: whenInWords(when),
        count: hits,
      }))}
    />
  )
}

/** Lists the overlays, which change the lists of tools. */
export function Overlays() {
  return (
    <Changes
      id="overlays"
      title="Overlays"
      empty="No overlays are set, so agents see the original lists of tools. This command hides ack_task:"
      path="/catalogue"
      example={{ overlays: [{ server: 'safebot', tool: 'ack_task', do: { hide: true } }] }}
      counts="lists shown"
      rows={overlays.value.map(({ server, tool, callers, after = 0, do: deed, lists, inEffect }) => ({
        name: tool ?? 'whole list',
        server,
        deed,
        when: `${inEffect ? 'in effect' : `after ${counted(after, 'list')}`} for ${callers?.join(', ') ?? 'all callers'}`,
        count: lists,
      }))}
    />
  )
}

/** A fault or an overlay. */
interface Change {
  /** The tool or the request that is changed. */
  name: string | undefined
  server: string
  deed: Fault['do'] | Overlay['do']
  /** The calls or callers that the change applies to, in words. */
  when: string
  /** Number of times that the change was applied. */
  count: number
}

interface ChangesProps {
  /** Name of the anchor. */
  id: string
  title: string
  /** The text that is shown if nothing is set. */
  empty: string
  /** The path of the control plane that sets the changes, and a request to try. */
  path: string
  example: unknown
  /** Title of the column with the counts. */
  counts: string
  rows: readonly Change[]
}

/** Lists what is set to change the behaviour of the servers. */
function Changes({ id, title, empty, path, example, counts, rows }: ChangesProps) {
  return (
    <Section id={id} title={title} note={`${rows.length} set`}>
      {rows.length === 0 ? (
        <Empty command={curl(`${location.origin}${path}`, example, 'PUT')}>{empty}</Empty>
      ) : (
        <Table columns={['tool', 'effect', counts]} numeric>
          {rows.map(({ name, server, deed, when, count }, at) => (
            <tr key={at}>
              <td>
                <span class="mono">{name}</span>
                <span class="second dim">{server}</span>
              </td>
              <td class="deed">
                <span class="mono">{deedInWords(deed)}</span>
                <span class="second dim">{when}</span>
              </td>
              <td class="right num">{count}</td>
            </tr>
          ))}
        </Table>
      )}
    </Section>
  )
}
