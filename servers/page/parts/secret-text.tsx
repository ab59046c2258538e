import { useState } from 'preact/hooks'
import { cutAtSecrets } from '../../../shared/util/secrets.js'
import { isRevealed, toggle } from '../live/secrets.js'

/** Shows a text with its secrets hidden. A click on a hidden secret reveals it. */
export function SecretText({ text }: { text: string }) {
  return (
    <>
      {cutAtSecrets(text).map((part, at) =>
        part.secret === null ? part.text : <Secret key={at} what={part.secret} text={part.text} />,
      )}
    </>
  )
}

function Secret({ what, text }: { what: string; text: string }) {
  const [open, setOpen] = useState(false)
  return (
    <button
      type="button"
      class="secret"
      aria-expanded={open}
      title={open ? 'hide the secret' : 'show the secret'}
      onClick={() => setOpen(!open)}
    >
      {open ? text : `[${what}]`}
    </button>
  )
}

interface MaskedProps {
  /** The name of this secret, unique on the page. */
  name: string
  /** A description of the secret, for screen readers. */
  what: string
  /** The masked form of the secret. */
  masked: string
  /** The secret. Undefined until the control plane has sent it. */
  open: string | undefined
}

/** Shows the masked form of a secret. A click reveals the secret. */
export function Masked({ name, what, masked, open }: MaskedProps) {
  const showing = isRevealed(name) && open !== undefined
  return (
    <button
      type="button"
      class="masked mono"
      aria-expanded={showing}
      aria-label={`${what}: ${showing ? open : masked}`}
      title={showing ? 'hide the secret' : 'show the secret'}
      onClick={() => toggle(name)}
    >
      {showing ? open : masked}
    </button>
  )
}
