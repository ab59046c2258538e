import type { Fault } from '../../../shared/faults/fault.js'
import type { Overlay } from '../../../shared/overlays/overlay.js'
import { faults, overlays } from '../live/state.js'
import { counted, curl, effectInWords, whenInWords } from '../model/format.js'
import { Empty, Section, Table } from './elements.js'

/** Lists the faults, and how often each fault was applied. */
export function Faults() {
  return (
    <Changes
      id="faults"
      title="Faults"
      empty="No faults are set. This command drops the answer to the first ack_task:"
      path="/faults"
      example={{ faults: [{ server: 'safebot', tool: 'ack_task', when: { nth: 1 }, do: { drop: 'after' } }] }}
      counts="hits"
      rows={faults.value.map(({ server, tool, method, when, do: effect, hits }) => ({
        name: tool === '*' ? 'every tool' : method === '*' ? 'every request' : (tool ?? method),
        server,
        effect,
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
      rows={overlays.value.map(({ server, tool, callers, after = 0, do: effect, lists, inEffect }) => ({
        name: tool ?? 'whole list',
        server,
        effect,
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
  effect: Fault['do'] | Overlay['do']
  /** The calls or the callers to which the change applies, in words. */
  when: string
  /** Number of calls or of shown lists. `counts` of the props says which. */
  count: number
}

interface ChangesProps {
  /** Name of the anchor. */
  id: string
  title: string
  /** The text that is shown if nothing is set. */
  empty: string
  /** The path of the control plane that sets the changes. */
  path: string
  /** The body of a request to try. */
  example: unknown
  /** Title of the column with the counts. */
  counts: string
  rows: readonly Change[]
}

/** Lists the faults or the overlays that are set. */
function Changes({ id, title, empty, path, example, counts, rows }: ChangesProps) {
  return (
    <Section id={id} title={title} note={`${rows.length} set`}>
      {rows.length === 0 ? (
        <Empty command={curl(`${location.origin}${path}`, example, 'PUT')}>{empty}</Empty>
      ) : (
        <Table columns={['tool', 'effect', counts]} numeric>
          {rows.map(({ name, server, effect, when, count }, at) => (
            <tr key={at}>
              <td>
                <span class="mono">{name}</span>
                <span class="second dim">{server}</span>
              </td>
              <td class="deed">
                <span class="mono">{effectInWords(effect)}</span>
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
