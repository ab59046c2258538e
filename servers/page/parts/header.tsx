import type { ClockState } from '../../control/schemas/clock.js'
import { busy, runAction } from '../live/actions.js'
import { clockMode, instanceNow } from '../live/clock.js'
import { connection } from '../live/connection.js'
import { state } from '../live/state.js'
import { dayAndTime } from '../model/format.js'

const WORDS = {
  connecting: 'connecting',
  live: 'live',
  lost: 'disconnected, reconnecting',
} as const

const STEPS = [
  ['+1 s', 1000, 'one second'],
  ['+60 s', 60_000, 'sixty seconds'],
  ['+1 h', 3_600_000, 'one hour'],
  ['+24 h', 86_400_000, 'twenty-four hours'],
] as const

/** Shows the name of the instance, its time, and the state of the connection. */
export function PageHeader() {
  return (
    <header class="head">
      <div class="head-name">
        <h1>understudy</h1>
        <span class="mono dim">{state.value?.instance.replace('understudy-', '')}</span>
        <ConnectionMark />
      </div>
      <ClockBar />
    </header>
  )
}

/** Shows the instance's time, with controls to advance it. */
function ClockBar() {
  const mode = clockMode.value
  if (mode === undefined) return null
  const next = mode === 'real' ? 'manual' : 'real'
  return (
    <div class="clock" role="group" aria-label="The instance’s clock">
      <div class="clock-face">
        <time class="num">{dayAndTime(instanceNow.value)}</time>
        <span class="dim">{mode === 'real' ? 'UTC, running' : 'UTC, paused'}</span>
      </div>
      <div class="clock-steps">
        {STEPS.map(([label, ms, words]) => (
          <button
            type="button"
            key={ms}
            aria-label={`${label}: advance by ${words}`}
            aria-disabled={busy.value}
            onClick={() =>
              runAction<ClockState>(
                'POST',
                '/clock/advance',
                { ms },
                ({ now }) => `Clock advanced to ${dayAndTime(now)}`,
              )
            }
          >
            {label}
          </button>
        ))}
        <button
          type="button"
          class="clock-mode"
          aria-disabled={busy.value}
          onClick={() =>
            runAction<ClockState>('PUT', '/clock', { mode: next }, clock =>
              clock.mode === 'real' ? 'Clock running' : `Clock paused at ${dayAndTime(clock.now)}`,
            )
          }
        >
          {mode === 'real' ? 'Pause' : 'Run'}
        </button>
      </div>
    </div>
  )
}

/** Shows the state of the page's connection. */
function ConnectionMark() {
  return (
    <span class={`connection connection-${connection.value}`} role="status">
      {WORDS[connection.value]}
    </span>
  )
}
