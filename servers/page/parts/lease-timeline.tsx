import type { SafebotView } from '../../safebot/view.js'
import { instanceNow } from '../live/clock.js'
import { knownLeases, leaseEvents } from '../live/leases.js'
import { dayAndTime, leftInWords, timeOfDay } from '../model/format.js'
import { type LeaseSpan, leaseSpans } from '../model/leases.js'
import { type TimeAxis, timeAxis } from '../model/time-axis.js'
import { Scrolled, Table } from './elements.js'

const WORDS = { acked: 'acknowledged', expired: 'expired', held: 'held until' } as const

const KEYS = [
  ['held', 'held'],
  ['acked', 'acknowledged'],
  ['expired', 'expired'],
  ['again', 'redelivered'],
] as const

type Room = SafebotView['rooms'][number]

/** Maximum number of leases that are drawn. Older ones are left out. */
const MAX_LEASES = 24

/** Height of a handle's lane, in pixels. */
const LANE = 40
/** Height of a lease in a lane, in pixels. */
const BAR = 14

/** Space between the name of a handle and its leases, in pixels. The space above the name is larger. */
const LABEL_GAP = 6

/** Shows the leases of each consumer of a room on a time axis, and how each lease ended. */
export function LeaseTimeline({ room }: { room: Room }) {
  const now = instanceNow.value
  const cursors = new Map(room.consumers.map(({ handle, cursor }) => [handle, cursor]))
  const spans = leaseSpans(leaseEvents.value.get(room.id) ?? [], knownLeases.value, cursors, now).slice(
    -MAX_LEASES,
  )
  if (spans.length === 0) return null
  const handles = [...new Set(spans.map(({ handle }) => handle))]
  const axis = timeAxis(spans)
  const height = handles.length * LANE + 20
  return (
    <figure class="timeline">
      <figcaption>Leases</figcaption>
      <svg width="100%" height={height} role="img" aria-label={inWords(spans)}>
        {handles.map((handle, lane) => (
          <g key={handle}>
            <text class="timeline-handle" x="0" y={lane * LANE + LANE - BAR - LABEL_GAP}>
              {handle}
            </text>
            <line
              class="timeline-ground"
              x1="0"
              x2="100%"
              y1={lane * LANE + LANE - 1}
              y2={lane * LANE + LANE - 1}
            />
            {spans
              .filter(span => span.handle === handle)
              .map(span => (
                <Lease
                  key={span.claimId}
                  span={span}
                  axis={axis}
                  now={now}
                  y={lane * LANE + LANE - BAR - 1}
                />
              ))}
          </g>
        ))}
        {axis.begins.map(({ x, at }) => (
          <text key={at} class="timeline-time num" x={`${x}%`} y={height - 4}>
            {timeOfDay(at)}
          </text>
        ))}
        <text class="timeline-time num" x="100%" y={height - 4} text-anchor="end">
          {timeOfDay(axis.end)}
        </text>
        {spans.some(({ end }) => end === 'held') && <Now x={axis.x(now)} height={height - 20} />}
        {axis.cuts.map(({ x, ms }) => (
          <g key={x} class="timeline-cut">
            <line x1={`${x}%`} x2={`${x}%`} y1="0" y2={height - 20} />
            <text x={`${x}%`} y="10" dx="4">
              {leftInWords(ms)}
            </text>
          </g>
        ))}
      </svg>
      <LeaseLegend />
      <LeaseTable spans={spans} />
    </figure>
  )
}

/**
 * Marks the current time.
 *
 * @param x position in percent
 * @param height height in pixels
 */
function Now({ x, height }: { x: number; height: number }) {
  const [left, right] = [`${x}%`, x > 50]
  return (
    <g class="timeline-now">
      <line x1={left} x2={left} y1="0" y2={height} />
      <text x={left} y="8" dx={right ? -4 : 4} text-anchor={right ? 'end' : 'start'}>
        now
      </text>
    </g>
  )
}

interface LeaseProps {
  span: LeaseSpan
  axis: TimeAxis
  now: number
  /** Top of the lease's bar, in pixels. */
  y: number
}

function Lease({ span: { from, to, end, seq, redelivered }, axis, now, y }: LeaseProps) {
  const x = axis.x(from)
  const widthTo = (instant: number) => `${Math.max(0.8, axis.x(instant) - x)}%`
  return (
    <g>
      <title>{`message ${seq}, claimed at ${timeOfDay(from)}, ${end}${redelivered ? ', redelivered' : ''}`}</title>
      {end === 'held' && (
        <rect class="lease-to-come" x={`${x}%`} y={y} width={widthTo(to)} height={BAR} rx="2" />
      )}
      <rect
        class={`lease lease-${end}`}
        x={`${x}%`}
        y={y}
        width={widthTo(end === 'held' ? now : to)}
        height={BAR}
        rx="2"
      />
      {redelivered && <circle class="lease-again" cx={`${x}%`} cy={y} r="4" />}
    </g>
  )
}

function inWords(spans: readonly LeaseSpan[]): string {
  const count = (end: LeaseSpan['end']) => spans.filter(span => span.end === end).length
  const again = spans.filter(({ redelivered }) => redelivered).length
  return `${spans.length} leases: ${count('acked')} acknowledged, ${count('expired')} expired, ${count('held')} held now, ${again} redelivered. The table below lists them.`
}

/** Explains the colours of leases. */
function LeaseLegend() {
  return (
    <ul class="legend" aria-label="Meaning of the colours">
      {KEYS.map(([name, words]) => (
        <li key={name}>
          <span class={`legend-mark legend-${name}`} aria-hidden="true" />
          {words}
        </li>
      ))}
    </ul>
  )
}

/** Renders the leases of the timeline as a table. */
function LeaseTable({ spans }: { spans: readonly LeaseSpan[] }) {
  return (
    <details>
      <summary>show as a table</summary>
      <Scrolled label="Leases as a table">
        <Table columns={['handle', 'message', 'claimed', 'ended']}>
          {spans.toReversed().map(({ handle, seq, claimId, from, to, end, redelivered }) => (
            <tr key={claimId}>
              <td class="mono">{handle}</td>
              <td class="num">
                {seq}
                {redelivered && <span class="dim"> redelivered</span>}
              </td>
              <td class="num">{dayAndTime(from)}</td>
              <td class="num">
                {WORDS[end]} {dayAndTime(to)}
              </td>
            </tr>
          ))}
        </Table>
      </Scrolled>
    </details>
  )
}
