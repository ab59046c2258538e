import { useEffect, useState } from 'preact/hooks'
import { beginningOf } from '../../../shared/util/secrets.js'
import { ask } from '../live/request.js'
import type { LoggedCall } from '../model/call-log.js'
import { bytesInWords } from '../model/format.js'
import { Facts, Scrolled } from './elements.js'
import { SecretText } from './secret-text.js'

/** Maximum number of characters of a body that are shown. A browser is slow to show megabytes. */
const MAX_CHARS = 20_000

/** Renders the details of a call, with its answer. */
export function CallDetails({ call: { entry } }: { call: LoggedCall }) {
  const answer = useAnswer(entry.seq, entry.outcome !== null)
  const { server, transport, session, protocol, client, mismatch, trace, argsHash, wall, at } = entry
  const { headers, raw, requestBytes, responseBytes } = entry
  return (
    <>
      <Facts
        facts={{
          server,
          transport,
          session,
          'protocol revision': protocol,
          client: client && `${client.name} ${client.version}`,
          'headers that differ from the body': mismatch.join(', ') || null,
          'time, instance clock': at,
          'time, this machine': wall,
          'trace id': trace,
          'hash of arguments': argsHash,
        }}
      />
      <Payload title={`Request, ${bytesInWords(requestBytes)}`} text={raw} none="The request has no body." />
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
    </>
  )
}

/** Loads the answer to a call. @returns undefined until it is loaded, or null if the journal has none */
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

function whyNone(inProgress: boolean, bytes: number): string {
  if (inProgress) return 'No answer yet. The call is in progress.'
  return bytes === 0 ? 'No answer was sent.' : 'The answer is not kept. It was too long, or it is too old.'
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
  const indented = exact ? undefined : indentedJson(text)
  const whole = indented ?? text
  const shown = beginningOf(whole, MAX_CHARS)
  return (
    <div class="payload">
      <div class="payload-head">
        <h3>{title}</h3>
        {indentedJson(text) !== undefined && (
          <button type="button" class="plain" aria-pressed={exact} onClick={() => setExact(!exact)}>
            as sent
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
              `\n… and ${whole.length - shown.length} more characters. The journal has the whole body.`}
          </pre>
        </Scrolled>
      )}
    </div>
  )
}

function indentedJson(text: string): string | undefined {
  try {
    return JSON.stringify(JSON.parse(text), null, 2)
  } catch {
    return undefined
  }
}
