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

/** Renders names with their values. Leaves out a name whose value is null. */
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
  /** A text that says which data is missing. */
  children: ComponentChildren
  /** A shell command to try. */
  command?: string | undefined
}

/** Renders a text in place of missing data, with a command that creates such data. */
export function Empty({ children, command }: EmptyProps) {
  return (
    <div class="empty">
      <p>{children}</p>
      {command !== undefined && (
        <Scrolled label="Command to try" class="command">
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

/** Renders content that can be larger than its space. The content can be focused and scrolled with keys. */
export function Scrolled({ label, class: name = '', children }: ScrolledProps) {
  return (
    // The role is `group`, because a `region` is a landmark, and each landmark needs a unique name.
    // biome-ignore lint/a11y/noNoninteractiveTabindex: the keyboard can only scroll content that has the focus
    <div class={`scrolled ${name}`} role="group" tabIndex={0} aria-label={label}>
      {children}
    </div>
  )
}

interface TableProps {
  /** The titles of the columns. */
  columns: readonly string[]
  /** True: the last column is aligned to the right. Default: false. */
  numeric?: boolean
  /** The rows. */
  children: ComponentChildren
}

/** Renders a table with a head. */
export function Table({ columns, numeric = false, children }: TableProps) {
  return (
    <table>
      <thead>
        <tr>
          {columns.map((title, at) => (
            <th key={title} class={numeric && at === columns.length - 1 ? 'right' : ''}>
              {title}
            </th>
          ))}
        </tr>
      </thead>
      <tbody>{children}</tbody>
    </table>
  )
}
