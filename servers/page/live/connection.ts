import { signal } from '@preact/signals'
import { later } from '../browser-time.js'

/** The state of the page's stream. `lost` means that the stream broke and will be opened again. */
export const connection = signal<'connecting' | 'live' | 'lost'>('connecting')

const RETRY_MS = 1000

/** The handlers of a stream. */
export interface StreamHandlers {
  path: string
  /** The handler for each name of an event. A handler receives the event's data. */
  on: Readonly<Record<string, (data: string) => void>>
  /**
   * Called when the stream opens, and again after each break. After a break, the data may be from another
   * process.
   */
  began(): void
}

/**
 * Opens a stream of the control plane, and opens it again from its beginning after each break.
 *
 * The browser itself would continue after the last event. That is wrong if another process has replaced the
 * first one.
 */
export function keepTo(listening: StreamHandlers): void {
  const source = new EventSource(listening.path)
  source.onopen = () => {
    connection.value = 'live'
    listening.began()
  }
  source.onerror = () => {
    source.close()
    connection.value = 'lost'
    later(RETRY_MS, () => keepTo(listening))
  }
  for (const [name, take] of Object.entries(listening.on)) {
    source.addEventListener(name, event => take(String(event.data)))
  }
}
