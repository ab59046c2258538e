import { signal } from '@preact/signals'
import type { z } from 'zod'
import type { faultsAnswer, overlaysAnswer } from '../../control/schemas/faults-and-overlays.js'
import type { StateAnswer } from '../../control/schemas/state.js'
import type { InstanodeView } from '../../instanode/view.js'
import type { SafebotView } from '../../safebot/view.js'
import { browserNow, later } from '../browser-time.js'
import { sawClock } from './clock.js'
import { sawLeases } from './leases.js'
import { ask } from './request.js'
import { anyOpen } from './secrets.js'

export type PageState = StateAnswer<InstanodeView, SafebotView>
export type FaultRow = z.infer<typeof faultsAnswer>['faults'][number]
export type OverlayRow = z.infer<typeof overlaysAnswer>['overlays'][number]

/** The current state with masked secrets. Undefined until it has been read. */
export const state = signal<PageState | undefined>(undefined)

/** The state with its secrets, while a secret is shown. */
export const openState = signal<PageState | undefined>(undefined)

export const faults = signal<readonly FaultRow[]>([])
export const overlays = signal<readonly OverlayRow[]>([])

/** Number of messages that are read for each room, and of deliveries for each receiver. */
const LATEST = 50

/**
 * Time from an event to the next read of the state, in milliseconds. Events often come in groups, which need
 * only one read.
 */
const SETTLE_MS = 120

/** Largest share of the time that reading the state may take. A large state is read less often. */
const SHARE = 1 / 4
let tookMs = 0

let waiting = false
let looking = false
let again = false

/** Schedules one read of the state after an event. */
export function somethingHappened(): void {
  if (waiting) return
  waiting = true
  later(Math.max(SETTLE_MS, tookMs / SHARE), () => {
    waiting = false
    void look()
  })
}

/** Reads the whole state. If a read is already running, another one follows after it. */
export async function look(): Promise<void> {
  if (looking) {
    again = true
    return
  }
  looking = true
  const began = browserNow()
  try {
    do {
      again = false
      await lookOnce()
    } while (again)
  } catch {
    // The stream reports a server that does not answer, and reads the state again later.
  } finally {
    looking = false
    tookMs = browserNow() - began
  }
}

async function lookOnce(): Promise<void> {
  const [seen, withSecrets, trouble, laid] = await Promise.all([
    ask<PageState>('GET', `/state?latest=${LATEST}`),
    anyOpen.value ? ask<PageState>('GET', `/state?latest=${LATEST}&secrets=1`) : undefined,
    ask<z.infer<typeof faultsAnswer>>('GET', '/faults'),
    ask<z.infer<typeof overlaysAnswer>>('GET', '/catalogue'),
  ])
  sawClock(seen.clock)
  sawLeases(seen)
  state.value = seen
  openState.value = withSecrets
  faults.value = trouble.faults
  overlays.value = laid.overlays
}
