import type { ComponentChildren } from 'preact'
import { Scrolled } from './scrolled.js'

interface EmptyProps {
  /** What there is not, in a sentence. */
  children: ComponentChildren
  /** What one may try in a shell. */
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
