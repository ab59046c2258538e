import { effect, untracked } from '@preact/signals'
import { render } from 'preact'
import { useEffect, useState } from 'preact/hooks'
import { every } from './browser-time.js'
import { notice } from './live/actions.js'
import { calls, callView, forgetCalls, recordCall, recordGap } from './live/calls.js'
import { startTicking } from './live/clock.js'
import { connection, openStream } from './live/connection.js'
import { followGateways, gateways, pending } from './live/gateways.js'
import { forgetLeases, loadClaimAnswers } from './live/leases.js'
import { anyRevealed, hideAll } from './live/secrets.js'
import { faults, refreshSoon, refreshState, state } from './live/state.js'
import { CallList } from './parts/calls.js'
import { Scrolled, Section } from './parts/elements.js'
import { Faults, Overlays } from './parts/faults-and-overlays.js'
import { GatewayPanel } from './parts/gateway.js'
import { PageHeader } from './parts/header.js'
import { showInvisible } from './parts/invisible-text.js'
import { ReceiverList } from './parts/receivers.js'
import { Databases } from './parts/resources.js'
import { RoomList } from './parts/rooms.js'
import { Traffic } from './parts/traffic.js'

/**
 * Interval between reads of the state, in milliseconds. Without a call, only this read shows new sizes and
 * connections of databases.
 */
const REFRESH_MS = 2000

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

/** Opens the page's streams and starts its regular updates. Both last as long as the page. */
function goLive(): void {
  openStream({
    path: '/journal/stream?after=0',
    began: startOver,
    on: {
      opened: takeEntry,
      ended: takeEntry,
      cleared: forget,
      gap: data => recordGap(Number(JSON.parse(data).dropped)),
    },
  })
  every(REFRESH_MS, () => {
    if (document.visibilityState === 'visible') void refreshState()
  })
  startTicking()
  effect(() => {
    if (calls.value.length > 0) void loadClaimAnswers()
  })
  effect(() => {
    if (anyRevealed.value) void refreshState()
  })
  effect(followCallLink)
  window.addEventListener('hashchange', followCallLink)
}

/**
 * Opens the call that the page's address names, such as `#call-9`. Does nothing until the log has the call.
 */
function followCallLink(): void {
  const seq = Number(/^#call-(\d+)$/.exec(location.hash)?.[1])
  if (!calls.value.some(({ entry }) => entry.seq === seq)) return
  // The address is reset, because a second click on the same link is noticed only if it changes the address.
  history.replaceState(null, '', '#calls')
  untracked(() => callView.reveal(seq))
}

function forget(): void {
  forgetCalls()
  forgetLeases()
  hideAll()
}

function startOver(): void {
  forget()
  void refreshState()
  // If this request fails, the stream breaks too, and `startOver` runs again.
  followGateways().catch(() => undefined)
}

function takeEntry(data: string): void {
  recordCall(JSON.parse(data))
  refreshSoon()
}
