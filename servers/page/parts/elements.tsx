import type { ComponentChildren } from 'preact'
import { SecretText } from './secret-text.js'

interface SectionProps {
  /** Name of the anchor. */
  id: string
  title: string
  /** Beside the title. */
  note?: ComponentChildren
  children: ComponentChildren
}

/** A part of the page with a heading of its own. */
export function Section({ id, title, note, children }: SectionProps) {
  return (
    <section id={id} class="section" aria-labelledby={`${id}-title`}>
      <div class="section-head">
        <h2 id={`${id}-title`}>{title}</h2>
        {note !== undefined && <div class="note">{note}</div>}
      </div>
      {children}
    </section>
  )
}

/** Names and what they stand for; what is null is left out. */
export function Facts({ facts }: { facts: Readonly<Record<string, string | null>> }) {
  return (
    <dl class="facts">
      {Object.entries(facts).map(([name, value]) =>
        value === null ? null : (
          <div key={name}>
            <dt>{name}</dt>
            <dd class="mono">
              <SecretText text={value} />
            </dd>
          </div>
        ),
      )}
    </dl>
  )
}

interface EmptyProps {
  /** A sentence that says which data is missing. */
  children: ComponentChildren
  /** A shell command to try. */
  command?: string
}

/** Stands where there is nothing yet, and says what to do about it. */
export function Empty({ children, command }: EmptyProps) {
  return (
    <div class="empty">
      <p>{children}</p>
      {command !== undefined && (
        <Scrolled label="a command to try" class="command">
          <pre>{command}</pre>
        </Scrolled>
      )}
    </div>
  )
}

interface ScrolledProps {
  /** Its content in words. */
  label: string
  class?: string
  children: ComponentChildren
}

/** Content that may be larger than its space. It can be focused and scrolled with keys. */
export function Scrolled({ label, class: name = '', children }: ScrolledProps) {
  return (
    // biome-ignore lint/a11y/noNoninteractiveTabindex: it is scrolled with keys, for which it has to be reached
    <section class={`scrolled ${name}`} tabIndex={0} aria-label={label}>
      {children}
    </section>
  )
}
