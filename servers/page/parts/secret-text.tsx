import { useState } from 'preact/hooks'
import { cutAtSecrets } from '../../../shared/util/secrets.js'
import { isRevealed, toggle } from '../live/secrets.js'

/** Shows a text in which secrets are hidden. A click on a secret reveals it. */
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
  /** The kind of the secret, in words. */
  what: string
  masked: string
  /** The secret. Undefined until the control plane has sent it. */
  open: string | undefined
}

/** Shows a value that the control plane masks. A click reveals the value. */
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
