import { instanceNow } from '../live/clock.js'
import { leftInWords } from '../model/words.js'
import { Ring } from './ring.js'

interface CountdownProps {
  /** Instants of the instance's clock, ISO 8601. */
  from: string
  to: string
  /** Stands behind the time that is left. */
  what?: string
}

/** What is left of a time, by the instance's clock: a manual one stands still. */
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
