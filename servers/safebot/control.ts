import type { ControlledServer, Gauge } from '../../shared/instance.js'
import { busyGauge, reached } from '../control/reached.js'
import { type StateSources, stateOf } from './control/state.js'
import type { SafebotView } from './view.js'

/** A room that nobody opens. */
const NOBODYS = 'understudy-readiness-probe'

export interface ControlledOptions extends StateSources {
  /** Whether its port can be connected to; undefined: it has none. */
  listening(): boolean | undefined
}

/** The server as a control plane shows it. */
export function controlled({ listening, ...sources }: ControlledOptions): ControlledServer<SafebotView> {
  const { relay, host } = sources
  return {
    state: request => stateOf(sources, request),
    async checks() {
      const store = await relay.status(NOBODYS).then(
        () => 'ok',
        (error: Error) => error.message,
      )
      return { ...(await reached(host, listening())), store }
    },
    async gauges() {
      const { rooms, messages, waiting } = await relay.overview.totals()
      return [
        busyGauge(host),
        gauge('rooms', 'Rooms there are', rooms),
        gauge('messages_buffered', 'Messages in their buffers', messages),
        gauge('waiters', 'Parked calls and open event streams in rooms', waiting),
      ]
    },
  }
}

function gauge(name: string, about: string, value: number): Gauge {
  return { name, about, labels: {}, value }
}
