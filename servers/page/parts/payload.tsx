import { useState } from 'preact/hooks'
import { beginningOf } from '../../../shared/util/secrets.js'
import { Scrolled } from './scrolled.js'
import { SecretText } from './secret-text.js'

/** Characters that are shown: a browser is slow to lay out megabytes. */
const MOST_CHARS = 20_000

interface PayloadProps {
  title: string
  /** Empty: there is none. */
  text: string
  /** Why there is none. */
  none: string
}

/** A body, laid out if it is JSON, or exactly as it was. */
export function Payload({ title, text, none }: PayloadProps) {
  const [exact, setExact] = useState(false)
  const laidOut = exact ? undefined : laidOutJson(text)
  const whole = laidOut ?? text
  const shown = beginningOf(whole, MOST_CHARS)
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
