import { effect, untracked } from '@preact/signals'
import { render } from 'preact'
import { useEffect, useState } from 'preact/hooks'
import { every } from './browser-time.js'
import { notice } from './live/actions.js'
import { calls, callView, forgetCalls, takeCall, takeGap } from './live/calls.js'
import { keepClockGoing } from './live/clock.js'
import { connection, keepTo } from './live/connection.js'
import { gateways, hearOfGateways, pending } from './live/gateways.js'
import { forgetLeases, learnClaims } from './live/leases.js'
import { anyOpen, closeAll } from './live/secrets.js'
import { faults, look, somethingHappened, state } from './live/state.js'
import { CallList } from './parts/calls.js'
import { Scrolled, Section } from './parts/elements.js'
import { Faults, Overlays } from './parts/faults-and-overlays.js'
import { GatewayPanel } from './parts/gateway.js'
import { PageHeader } from './parts/header.js'
import { ReceiverList } from './parts/receivers.js'
import { Databases } from './parts/resources.js'
import { RoomList } from './parts/rooms.js'
import { showInvisible } from './parts/show-invisible.js'
import { Traffic } from './parts/traffic.js'

/**
 * Interval between reads of the state, in milliseconds. Sizes and connections of databases change without
 * calls.
 */
const LOOK_MS = 2000

showInvisible()
const root = document.getElementById('page')
if (root !== null) render(<App />, root)
goLive()

/** Renders the whole page. */
function App() {
  const guarded = gateways.value.length > 0
  return (
    <div class={`page page-${connection.value}${guarded ? ' page-guarded' : ''}`}>
      <PageHeader />
      <Contents />
      <main class="main">
        <GatewayPanel />
        <CallList />
        <Traffic />
        <RoomList />
        <Databases />
        <ReceiverList />
        <Faults />
        <Overlays />
        <Routes />
      </main>
    </div>
  )
}

type Part = [id: string, name: string, count: number]

/** Renders links to the parts of the page, each with the number of its items. */
function Contents() {
  const { instanode, safebot } = state.value ?? {}
  const ofType = (type: string) => instanode?.resources.filter(resource => resource.type === type).length ?? 0
  const parts: Part[] = [['calls', 'Calls', calls.value.length]]
  if (gateways.value.length > 0) parts.unshift(['gateway', 'Gateway', pending.value.length])
  parts.push(['traffic', 'Traffic', 0])
  if (safebot) parts.push(['rooms', 'Rooms', safebot.rooms.length])
  if (instanode)
    parts.push(['resources', 'Databases', ofType('postgres')], ['receivers', 'Receivers', ofType('webhook')])
  parts.push(['faults', 'Faults', faults.value.length])
  return (
    <div class="bar">
      <nav class="contents" aria-label="Sections">
        {parts.map(([id, name, count]) => (
          <a key={id} href={`#${id}`}>
            {name}
            {count > 0 && <span class="num dim"> {count.toLocaleString('en')}</span>}
          </a>
        ))}
      </nav>
      <NoticeLine />
    </div>
  )
}

/** Shows the result of the last action. */
function NoticeLine() {
  return (
    <p class={`notice${notice.value?.failed ? ' notice-failed' : ''}`} role="status">
      {notice.value?.text}
    </p>
  )
}

/** Lists the routes of the control plane. Everything on this page can also be done with curl. */
function Routes() {
  const [routes, setRoutes] = useState<string[][]>([])
  useEffect(() => {
    fetch('/', { headers: { Accept: 'text/plain' } })
      .then(response => response.text())
      .then(
        text => setRoutes([...text.matchAll(/^([A-Z]+) +(\/\S*) +(.+)$/gm)].map(match => match.slice(1))),
        // Without this list, the rest of the page still works.
        () => undefined,
      )
  }, [])
  return (
    <Section id="routes" title="Control plane" note={<a href="/openapi.json">openapi.json</a>}>
      <details>
        <summary>{routes.length} routes. Everything on this page can also be done with curl.</summary>
        <Scrolled label="Routes of the control plane">
          <table>
            <tbody>
              {routes.map(([method = '', path = '', summary = '']) => (
                <tr key={`${method} ${path}`}>
                  <td class="mono dim">{method}</td>
                  <td class="mono">
                    {method === 'GET' && !path.includes(':') ? <a href={path}>{path}</a> : path}
                  </td>
                  <td>{summary}</td>
                </tr>
              ))}
            </tbody>
          </table>
        </Scrolled>
      </details>
    </Section>
  )
}

/** Opens the page's streams. They stay open as long as the page. */
function goLive(): void {
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
  effect(followCallLink)
  window.addEventListener('hashchange', followCallLink)
}

/** Opens the call that the address names, as in `#call-9`, once the call is in the log. */
function followCallLink(): void {
  const seq = Number(/^#call-(\d+)$/.exec(location.hash)?.[1])
  if (!calls.value.some(({ entry }) => entry.seq === seq)) return
  // A second click on the same link must change the address again.
  history.replaceState(null, '', '#calls')
  untracked(() => callView.reveal(seq))
}

function forget(): void {
  forgetCalls()
  forgetLeases()
  closeAll()
}

function beginAfresh(): void {
  forget()
  void look()
  // If this request fails, the stream also breaks, and everything is read again.
  hearOfGateways().catch(() => undefined)
}

function takeEntry(data: string): void {
  takeCall(JSON.parse(data))
  somethingHappened()
}
