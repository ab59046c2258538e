import { effect } from '@preact/signals'
import { every } from '../browser-time.js'
import { calls, forgetCalls, takeCall, takeGap } from './calls.js'
import { keepClockGoing } from './clock.js'
import { keepTo } from './connection.js'
import { hearOfGateways } from './gateways.js'
import { forgetLeases, learnClaims } from './leases.js'
import { anyOpen, closeAll } from './secrets.js'
import { look, somethingHappened } from './state.js'

/** Sizes and connections of databases change with nobody calling. */
const LOOK_MS = 2000

/** Has the page hear of what happens, for as long as it is there. */
export function goLive(): void {
  keepTo({
    path: '/journal/stream?after=0',
    began: beginAfresh,
    on: {
      opened: takeEntry,
      ended: takeEntry,
      cleared: forget,
      gap: data => takeGap(Number(JSON.parse(data).dropped)),
    },
  })
  every(LOOK_MS, () => {
    if (document.visibilityState === 'visible') void look()
  })
  keepClockGoing()
  effect(() => {
    if (calls.value.length > 0) void learnClaims()
  })
  effect(() => {
    if (anyOpen.value) void look()
  })
}

function forget(): void {
  forgetCalls()
  forgetLeases()
  closeAll()
}

function beginAfresh(): void {
  forget()
  void look()
  // What goes wrong here has the stream break off, too.
  hearOfGateways().catch(() => undefined)
}

function takeEntry(data: string): void {
  takeCall(JSON.parse(data))
  somethingHappened()
}
