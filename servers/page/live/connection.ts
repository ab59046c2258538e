import { signal } from '@preact/signals'
import { later } from '../browser-time.js'

/** The state of the page's streams. `lost` means that a stream has broken and will be opened again. */
export const connection = signal<'connecting' | 'live' | 'lost'>('connecting')

/** Time from a break to the next attempt, in milliseconds. */
const RETRY_MS = 1000

/** A stream and its handlers. */
export interface StreamHandlers {
  path: string
  /** The handlers of events, by the names of the events. A handler receives the data of its event. */
  on: Readonly<Record<string, (data: string) => void>>
  /**
   * Called each time the stream opens, also after a break. After a break, the data can come from another
   * process.
   */
  began(): void
}

/**
 * Opens a stream of the control plane, and opens it again from its beginning after each break.
 *
 * Without this function, the browser would continue after the last event. That is wrong if the understudy has
 * been restarted, because its new process has other events.
 */
export function openStream(stream: StreamHandlers): void {
  const source = new EventSource(stream.path)
  source.onopen = () => {
    connection.value = 'live'
    stream.began()
  }
  source.onerror = () => {
    source.close()
    connection.value = 'lost'
    later(RETRY_MS, () => openStream(stream))
  }
  for (const [name, take] of Object.entries(stream.on)) {
    source.addEventListener(name, event => take(String(event.data)))
  }
}
