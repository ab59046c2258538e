import { signal } from '@preact/signals'
import type { z } from 'zod'
import type { faultsAnswer, overlaysAnswer } from '../../control/schemas/faults-and-overlays.js'
import type { StateAnswer } from '../../control/schemas/state.js'
import type { InstanodeView } from '../../instanode/view.js'
import type { SafebotView } from '../../safebot/view.js'
import { browserNow, later } from '../browser-time.js'
import { setClockState } from './clock.js'
import { addKnownLeases } from './leases.js'
import { ask } from './request.js'
import { anyRevealed } from './secrets.js'

export type PageState = StateAnswer<InstanodeView, SafebotView>
export type FaultRow = z.infer<typeof faultsAnswer>['faults'][number]
export type OverlayRow = z.infer<typeof overlaysAnswer>['overlays'][number]

/** The current state with masked secrets. Undefined until it has been read. */
export const state = signal<PageState | undefined>(undefined)

/** The state with its secrets. Undefined unless a secret is revealed. */
export const stateWithSecrets = signal<PageState | undefined>(undefined)

export const faults = signal<readonly FaultRow[]>([])
export const overlays = signal<readonly OverlayRow[]>([])

/** Number of messages of each room, and of deliveries of each receiver, that are read. */
const LATEST = 50

/**
 * Time from an event to the next read of the state, in milliseconds. Events often come in groups, which need
 * only one read.
 */
const SETTLE_MS = 120

/** Maximum share of the time that is spent on reading the state. A large state is read less often. */
const SHARE = 1 / 4
/** Duration of the last read, in milliseconds. */
let tookMs = 0

let waiting = false
let refreshing = false
let readAgain = false

/** Schedules one read of the state after an event. */
export function refreshSoon(): void {
  if (waiting) return
  waiting = true
  later(Math.max(SETTLE_MS, tookMs / SHARE), () => {
    waiting = false
    void refreshState()
  })
}

/** Reads the whole state. If a read is already in progress, another read follows it. */
export async function refreshState(): Promise<void> {
  if (refreshing) {
    readAgain = true
    return
  }
  refreshing = true
  const began = browserNow()
  try {
    do {
      readAgain = false
      await readOnce()
    } while (readAgain)
  } catch {
    // The stream breaks too when the server is gone. Once it is open again, the state is read again.
  } finally {
    refreshing = false
    tookMs = browserNow() - began
  }
}

async function readOnce(): Promise<void> {
  const [seen, withSecrets, faultsRead, overlaysRead] = await Promise.all([
    ask<PageState>('GET', `/state?latest=${LATEST}`),
    anyRevealed.value ? ask<PageState>('GET', `/state?latest=${LATEST}&secrets=1`) : undefined,
    ask<z.infer<typeof faultsAnswer>>('GET', '/faults'),
    ask<z.infer<typeof overlaysAnswer>>('GET', '/catalogue'),
  ])
  setClockState(seen.clock)
  addKnownLeases(seen)
  state.value = seen
  stateWithSecrets.value = withSecrets
  faults.value = faultsRead.faults
  overlays.value = overlaysRead.overlays
}
