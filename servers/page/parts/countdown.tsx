import { instanceNow } from '../live/clock.js'
import { leftInWords } from '../model/format.js'

interface CountdownProps {
  /** The start of the period by the instance's clock, in ISO 8601. */
  from: string
  /** The end of the period by the instance's clock, in ISO 8601. */
  to: string
  /** The text after the remaining time. */
  what?: string
}

/**
 * Shows the remaining time of a period by the instance's clock. With a manual clock, the remaining time only
 * changes when the clock moves.
 */
export function Countdown({ from, to, what }: CountdownProps) {
  const end = Date.parse(to)
  const left = end - instanceNow.value
  return (
    <span class="countdown" title={`until ${to}`}>
      <Ring share={left / (end - Date.parse(from))} />
      <span class="num">{leftInWords(left)}</span>
      {what !== undefined && <span class="dim"> {what}</span>}
    </span>
  )
}

interface RingProps {
  /** The remaining share of the period, from 0 to 1. */
  share: number
  /** Width and height of the ring, in pixels. */
  size?: number
}

/**
 * Renders a ring that shows the remaining share. The ring is hidden from screen readers, because the text
 * beside it says the same.
 */
function Ring({ share, size = 18 }: RingProps) {
  const radius = size / 2 - 2
  const round = 2 * Math.PI * radius
  const left = Math.min(1, Math.max(0, share))
  return (
    <svg
      class={`ring${left < 0.2 ? ' ring-late' : ''}`}
      width={size}
      height={size}
      viewBox={`0 0 ${size} ${size}`}
      aria-hidden="true"
    >
      <circle class="ring-track" cx={size / 2} cy={size / 2} r={radius} />
      <circle
        class="ring-left"
        cx={size / 2}
        cy={size / 2}
        r={radius}
        stroke-dasharray={`${round * left} ${round}`}
        transform={`rotate(-90 ${size / 2} ${size / 2})`}
      />
    </svg>
  )
}
