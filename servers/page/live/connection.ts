import { signal } from '@preact/signals'
import { later } from '../browser-time.js'

/** State of the page's stream. `lost`: the stream broke and is opened again. */
export const connection = signal<'connecting' | 'live' | 'lost'>('connecting')

const RETRY_MS = 1000

/** The handlers of a stream. */
export interface StreamHandlers {
  path: string
  /** Handlers by the names of events. Each gets the event's data. */
  on: Readonly<Record<string, (data: string) => void>>
  /** Called when the stream opens, and again after each break. The data may belong to another process then. */
  began(): void
}

/**
 * Keeps to a stream of the control plane, and takes it up from its beginning whenever it has broken off.
 * The browser would go on behind the last event it saw, which is wrong where another process has taken the
 * place of the one it was from.
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
