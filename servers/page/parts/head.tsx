import { state } from '../live/state.js'
import { ClockBar } from './clock-bar.js'
import { ConnectionMark } from './connection-mark.js'

/** Which instance this is, whether it is there, and its time. */
export function Head() {
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
