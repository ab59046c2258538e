import type { ComponentChildren } from 'preact'

interface ScrolledProps {
  /** What stands in it, in words. */
  label: string
  class?: string
  children: ComponentChildren
}

/** What may be larger than its place: it can be reached, and scrolled, with keys. */
export function Scrolled({ label, class: name = '', children }: ScrolledProps) {
  return (
    // biome-ignore lint/a11y/noNoninteractiveTabindex: it is scrolled with keys, for which it has to be reached
    <section class={`scrolled ${name}`} tabIndex={0} aria-label={label}>
      {children}
    </section>
  )
}
