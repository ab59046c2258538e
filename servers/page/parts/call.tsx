import { useEffect, useLayoutEffect, useRef, useState } from 'preact/hooks'
import type { Outcome as OutcomeName } from '../../../shared/journal/outcome.js'
import { beginningOf, maskSecrets } from '../../../shared/util/secrets.js'
import { ask } from '../live/request.js'
import { type LoggedCall, nameOf } from '../model/call-log.js'
import { bytesInWords, durationInWords, outcomeInWords, timeOfDay } from '../model/format.js'
import { Facts, Scrolled } from './elements.js'
import { SecretText } from './secret-text.js'

/** Characters that are shown: a browser is slow to lay out megabytes. */
const MAX_CHARS = 20_000

interface CallDetailsProps {
  call: LoggedCall
  /** Index of the row among the shown calls. */
  index: number
  /** Top in pixels. */
  top: number
  /** Told how high it has become, in pixels. */
  onHeight(height: number): void
}

/** All that is known of a call, and what it was answered. */
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

/** @returns undefined until it is known, null if it is not kept */
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
  /** Empty: there is none. */
  text: string
  /** Why there is none. */
  none: string
}

/** A body, laid out if it is JSON, or exactly as it was. */
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
  /** Among the calls that are shown. */
  index: number
  /** Top and height in pixels. */
  top: number
  height: number
  open: boolean
  /** Whether the Tab key reaches it. */
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

/** Shows the outcome of a call in words and in a colour. */
function Outcome({ outcome }: { outcome: OutcomeName | null }) {
  return <span class={`outcome outcome-${outcome ?? 'open'}`}>{outcomeInWords(outcome)}</span>
}
