import { useState } from 'preact/hooks'
import { cutAtSecrets } from '../../../shared/util/secrets.js'

/** A text in which every secret is hidden until somebody clicks on it. */
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
      title={open ? 'hide it' : 'show it'}
      onClick={() => setOpen(!open)}
    >
      {open ? text : `[${what}]`}
    </button>
  )
}
