import { maskSecrets } from '../../../shared/util/secrets.js'
import { type Call, nameOf } from '../model/call-log.js'
import { durationInWords, timeOfDay } from '../model/words.js'
import { Outcome } from './outcome.js'

interface CallRowProps {
  call: Call
  /** Among the calls that are shown. */
  index: number
  /** Where it stands, and how high it is, in pixels. */
  top: number
  height: number
  open: boolean
  /** Whether the Tab key leads to it. */
  tabbed: boolean
  onToggle(seq: number): void
  onFocus(seq: number): void
}

/** A call in one line. */
export function CallRow({
  call: { entry },
  index,
  top,
  height,
  open,
  tabbed,
  onToggle,
  onFocus,
}: CallRowProps) {
  const { seq, at, caller, server, outcome, durationMs } = entry
  return (
    <div
      class={`call-row${open ? ' call-row-open' : ''}`}
      role="row"
      aria-rowindex={index + 2}
      style={{ top: `${top}px`, height: `${height}px` }}
    >
      <span role="cell" class="call-seq num dim">
        {seq}
      </span>
      <time role="cell" class="call-time num dim" title={at}>
        {timeOfDay(at)}
      </time>
      <span role="cell" class="call-caller">
        {caller}
      </span>
      <span role="cell" class="call-name">
        <button
          type="button"
          data-seq={seq}
          tabIndex={tabbed ? 0 : -1}
          aria-expanded={open}
          onClick={() => onToggle(seq)}
          onFocus={() => onFocus(seq)}
        >
          <span class={entry.tool === null ? 'mono dim' : 'mono'}>{maskSecrets(nameOf(entry))}</span>
        </button>
        <span class="call-server dim">{server}</span>
      </span>
      <span role="cell" class="call-outcome">
        <Outcome outcome={outcome} />
      </span>
      <span role="cell" class="call-took num">
        {durationInWords(durationMs)}
      </span>
    </div>
  )
}
