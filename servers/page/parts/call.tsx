import { useEffect, useLayoutEffect, useRef, useState } from 'preact/hooks'
import { ask } from '../live/ask.js'
import type { Call } from '../model/call-log.js'
import { bytesInWords } from '../model/words.js'
import { Facts } from './facts.js'
import { Payload } from './payload.js'

interface CallDetailsProps {
  call: Call
  /** Of its row, among the calls that are shown. */
  index: number
  /** Where it begins, in pixels. */
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
  const { server, transport, session, trace, argsHash, wall, at, headers, raw, requestBytes, responseBytes } =
    entry
  return (
    <div class="call-details" role="row" aria-rowindex={index + 2} ref={box} style={{ top: `${top}px` }}>
      <div role="cell" aria-colspan={6}>
        <Facts
          facts={{
            server,
            over: transport,
            session,
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
