import { connection } from './live/connection.js'
import { gateways } from './live/gateways.js'
import { Calls } from './parts/calls.js'
import { Contents } from './parts/contents.js'
import { Gateway } from './parts/gateway.js'
import { Head } from './parts/head.js'
import { Receivers } from './parts/receivers.js'
import { Resources } from './parts/resources.js'
import { Rooms } from './parts/rooms.js'
import { Routes } from './parts/routes.js'
import { Traffic } from './parts/traffic.js'
import { Faults, Overlays } from './parts/trouble.js'

/** The whole page. */
export function App() {
  const guarded = gateways.value.length > 0
  return (
    <div class={`page page-${connection.value}${guarded ? ' page-guarded' : ''}`}>
      <Head />
      <Contents />
      <main class="main">
        <Gateway />
        <Calls />
        <Traffic />
        <Rooms />
        <Resources />
        <Receivers />
        <Faults />
        <Overlays />
        <Routes />
      </main>
    </div>
  )
}
