import { useEffect, useLayoutEffect, useRef, useState } from 'preact/hooks'
import type { Outcome as OutcomeName } from '../../../shared/journal/outcome.js'
import { beginningOf, maskSecrets } from '../../../shared/util/secrets.js'
import { ask } from '../live/request.js'
import { type LoggedCall, nameOf } from '../model/call-log.js'
import { bytesInWords, durationInWords, outcomeInWords, timeOfDay } from '../model/format.js'
import { Facts, Scrolled } from './elements.js'
import { SecretText } from './secret-text.js'

/** Maximum number of characters that are shown of a body. A browser is slow to show megabytes. */
const MAX_CHARS = 20_000

interface CallDetailsProps {
  call: LoggedCall
  /** Index of the row among the shown calls. */
  index: number
  /** Top in pixels. */
  top: number
  /** Called with the height of the details, in pixels. */
  onHeight(height: number): void
}

/** Renders the details of a call, with its answer. */
export function CallDetails({ call: { entry }, index, top, onHeight }: CallDetailsProps) {
  const box = useRef<HTMLDivElement>(null)
  const answer = useAnswer(entry.seq, entry.outcome !== null)
  useLayoutEffect(() => {
    const element = box.current
    if (element === null) return
    const observer = new ResizeObserver(() => onHeight(element.offsetHeight))
    observer.observe(element)
    return () => observer.disconnect()
  }, [onHeight])
  const { server, transport, session, protocol, client, mismatch, trace, argsHash, wall, at } = entry
  const { headers, raw, requestBytes, responseBytes } = entry
  return (
    <div class="call-details" role="row" aria-rowindex={index + 2} ref={box} style={{ top: `${top}px` }}>
      <div role="cell" aria-colspan={6}>
        <Facts
          facts={{
            server,
            over: transport,
            session,
            'protocol revision': protocol,
            client: client && `${client.name} ${client.version}`,
            'headers that differ from the body': mismatch.join(', ') || null,
            'instance’s time': at,
            'machine’s time': wall,
            trace,
            'hash of arguments': argsHash,
          }}
        />
        <Payload title={`Request, ${bytesInWords(requestBytes)}`} text={raw} none="no body" />
        <Payload
          title={entry.outcome === null ? 'Answer' : `Answer, ${bytesInWords(responseBytes)}`}
          text={answer ?? ''}
          none={whyNone(entry.outcome === null, responseBytes)}
        />
        <details>
          <summary>Headers</summary>
          <Facts
            facts={Object.fromEntries(Object.entries(headers).map(([name, value]) => [name, String(value)]))}
          />
        </details>
      </div>
    </div>
  )
}

/** Loads the answer to a call. @returns undefined until it is loaded, or null if there is no stored answer */
function useAnswer(seq: number, ended: boolean): string | null | undefined {
  const [answer, setAnswer] = useState<string | null>()
  useEffect(() => {
    if (!ended) return
    let wanted = true
    ask<{ answer: string | null }>('GET', `/journal/entries/${seq}`).then(
      found => wanted && setAnswer(found.answer),
      () => wanted && setAnswer(null),
    )
    return () => {
      wanted = false
    }
  }, [seq, ended])
  return answer
}

function whyNone(underWay: boolean, bytes: number): string {
  if (underWay) return 'none yet: the call is under way'
  return bytes === 0 ? 'none was sent' : 'not kept: it was too long, or too long ago'
}

interface PayloadProps {
  title: string
  /** The body. Empty if there is none. */
  text: string
  /** The text that explains why there is no body. */
  none: string
}

/** Renders a body, either formatted as JSON or exactly as it was sent. */
function Payload({ title, text, none }: PayloadProps) {
  const [exact, setExact] = useState(false)
  const laidOut = exact ? undefined : laidOutJson(text)
  const whole = laidOut ?? text
  const shown = beginningOf(whole, MAX_CHARS)
  return (
    <div class="payload">
      <div class="payload-head">
        <h3>{title}</h3>
        {laidOutJson(text) !== undefined && (
          <button type="button" class="plain" aria-pressed={exact} onClick={() => setExact(!exact)}>
            byte for byte
          </button>
        )}
      </div>
      {text === '' ? (
        <p class="dim">{none}</p>
      ) : (
        <Scrolled label={title} class="body">
          <pre>
            <SecretText text={shown} />
            {whole.length > shown.length &&
              `\n… and ${whole.length - shown.length} more characters: the journal has them`}
          </pre>
        </Scrolled>
      )}
    </div>
  )
}

function laidOutJson(text: string): string | undefined {
  try {
    return JSON.stringify(JSON.parse(text), null, 2)
  } catch {
    return undefined
  }
}

interface CallRowProps {
  call: LoggedCall
  /** Index of the row among the shown calls. */
  index: number
  /** Top and height in pixels. */
  top: number
  height: number
  open: boolean
  /** Whether the Tab key reaches this row. */
  tabbed: boolean
  onToggle(seq: number): void
  onFocus(seq: number): void
}

/** Renders a call as one row. */
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

/** Shows the outcome of a call in words and in a colour. */
function Outcome({ outcome }: { outcome: OutcomeName | null }) {
  return <span class={`outcome outcome-${outcome ?? 'open'}`}>{outcomeInWords(outcome)}</span>
}
