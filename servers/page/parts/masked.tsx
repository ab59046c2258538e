import { isOpen, toggle } from '../live/secrets.js'

interface MaskedProps {
  /** Of this secret, among all of the page. */
  name: string
  /** What it is, in words. */
  what: string
  masked: string
  /** Undefined until the control plane has told it. */
  open: string | undefined
}

/** Something that the control plane masks, until somebody clicks on it. */
export function Masked({ name, what, masked, open }: MaskedProps) {
  const showing = isOpen(name) && open !== undefined
  return (
    <button
      type="button"
      class="masked mono"
      aria-expanded={showing}
      aria-label={`${what}: ${showing ? open : masked}`}
      title={showing ? 'hide it' : 'show it'}
      onClick={() => toggle(name)}
    >
      {showing ? open : masked}
    </button>
  )
}
