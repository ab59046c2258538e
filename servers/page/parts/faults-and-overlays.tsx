import { type FaultRow, faults, type OverlayRow, overlays } from '../live/state.js'
import { counted, deedInWords, whenInWords } from '../model/format.js'
import { Empty, Section } from './elements.js'

/** Lists the faults, with the number of times that each was applied. */
export function Faults() {
  const rows = faults.value
  return (
    <Section id="faults" title="Faults" note={`${rows.length} set`}>
      {rows.length === 0 ? (
        <Empty
          command={`curl -s -X PUT ${location.origin}/faults -d '{"faults":[\n  {"server":"safebot","tool":"ack_task","when":{"nth":1},"do":{"drop":"after"}}]}'`}
        >
          No fault is set: nothing goes wrong but what agents get wrong. Have the first acknowledgement’s
          answer lost:
        </Empty>
      ) : (
        <table>
          <thead>
            <tr>
              <th>tool</th>
              <th>when</th>
              <th>what</th>
              <th class="right">hits</th>
            </tr>
          </thead>
          <tbody>{rows.map(faultRow)}</tbody>
        </table>
      )}
    </Section>
  )
}

function faultRow({ server, tool, method, when, do: deed, hits }: FaultRow, at: number) {
  return (
    <tr key={at}>
      <td>
        <span class="mono">
          {tool === '*' ? 'every tool' : method === '*' ? 'every request' : (tool ?? method)}
        </span>
        <span class="second dim">{server}</span>
      </td>
      <td>{whenInWords(when)}</td>
      <td class="mono deed">{deedInWords(deed)}</td>
      <td class={`right num${hits === 0 ? ' dim' : ''}`}>{hits}</td>
    </tr>
  )
}

/** Lists the overlays, which change the lists of tools. */
export function Overlays() {
  const rows = overlays.value
  return (
    <Section id="overlays" title="Overlays" note={`${rows.length} laid`}>
      {rows.length === 0 ? (
        <Empty
          command={`curl -s -X PUT ${location.origin}/catalogue -d '{"overlays":[\n  {"server":"safebot","tool":"ack_task","do":{"hide":true}}]}'`}
        >
          The lists of tools are the genuine ones. Hide a tool from them:
        </Empty>
      ) : (
        <table>
          <thead>
            <tr>
              <th>tool</th>
              <th>what</th>
              <th>for</th>
              <th class="right">lists shown</th>
            </tr>
          </thead>
          <tbody>{rows.map(overlayRow)}</tbody>
        </table>
      )}
    </Section>
  )
}

function overlayRow({ server, tool, callers, after = 0, do: deed, lists, inEffect }: OverlayRow, at: number) {
  return (
    <tr key={at}>
      <td>
        <span class="mono">{tool ?? 'the list'}</span>
        <span class="second dim">{server}</span>
      </td>
      <td class="mono deed">{deedInWords(deed)}</td>
      <td>
        {callers?.join(', ') ?? 'everybody'}
        <span class="second dim">{inEffect ? 'in effect' : `after ${counted(after, 'list')}`}</span>
      </td>
      <td class="right num">{lists}</td>
    </tr>
  )
}
