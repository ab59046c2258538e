import type { ComponentChildren } from 'preact'

interface SectionProps {
  /** What its anchor is called. */
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
