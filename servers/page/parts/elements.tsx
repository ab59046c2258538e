import type { ComponentChildren } from 'preact'
import { SecretText } from './secret-text.js'

interface SectionProps {
  /** Name of the anchor. */
  id: string
  title: string
  /** Content beside the title. */
  note?: ComponentChildren
  children: ComponentChildren
}

/** Renders a part of the page with a heading of its own. */
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

/** Renders names with their values. Leaves out values that are null. */
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

/** Renders a text in place of missing data, with a command that creates some. */
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
  /** A description of the content, for screen readers. */
  label: string
  class?: string
  children: ComponentChildren
}

/** Renders content that may be larger than its space. The content can be focused and scrolled with keys. */
export function Scrolled({ label, class: name = '', children }: ScrolledProps) {
  return (
    // biome-ignore lint/a11y/noNoninteractiveTabindex: it is scrolled with keys, for which it has to be reached
    <section class={`scrolled ${name}`} tabIndex={0} aria-label={label}>
      {children}
    </section>
  )
}
