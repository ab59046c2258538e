import { describe, expect, it, onTestFinished } from 'vitest'
import type {
  ControlClient,
  JournalEvent,
  StreamRequest,
} from '../../../servers/understudy/control-client.js'
import { startControlled } from '../../support/clients/control.js'
import { HttpStream } from '../../support/clients/http-stream.js'
import { call, ok } from '../../support/servers/understudy.js'
import { until } from '../../support/until.js'

/** Reads a stream for the rest of the test. */
function follow(control: ControlClient, request: StreamRequest = {}) {
  const leaving = new AbortController()
  onTestFinished(() => leaving.abort())
  const events: JournalEvent[] = []
  const done = (async () => {
    for await (const event of control.journal.stream({ signal: leaving.signal, ...request }))
      events.push(event)
  })().catch(() => undefined)
  return {
    events,
    done,
    leave: () => leaving.abort(),
    seen: (count: number) => until(() => events.length >= count),
  }
}

const told = (events: readonly JournalEvent[]) =>
  events.map(event => ('entry' in event ? [event.type, event.entry.tool, event.entry.outcome] : [event.type]))

describe('the stream of the journal', () => {
  it('sends an entry when it is opened, and again when it has ended', async () => {
    const { control, u } = await startControlled()
    const agent = await u.instanode.connect({ token: 'understudy-paid-token' })
    const stream = follow(control, { tool: 'list_resources', after: 0 })
    await ok(agent, 'list_resources')
    await ok(agent, 'get_api_token')
    await ok(agent, 'list_resources')
    await stream.seen(2)
    await until(() => stream.events.filter(({ type }) => type === 'ended').length === 2)
    expect(new Set(told(stream.events).map(([, tool]) => tool))).toEqual(new Set(['list_resources']))
  })

  it('sends a parked call at once, and its end when it is woken', async () => {
    const { control, u } = await startControlled()
    const agent = await u.safebot.connect({ handle: 'worker' })
    const { url } = await ok(agent, 'create_room')
    const stream = follow(control, { tool: 'claim_task', after: 0 })
    const parked = call(agent, 'claim_task', { url, timeout_seconds: 30 })
    await stream.seen(1)
    expect(told(stream.events)).toEqual([['opened', 'claim_task', null]])
    await u.clock.whenPending(1)
    await control.clock.advance(30_000)
    await parked
    await stream.seen(2)
    expect(told(stream.events)[1]).toEqual(['ended', 'claim_task', 'ok'])
  })

  it('begins with new entries, or with the kept ones', async () => {
    const { control, u } = await startControlled()
    const agent = await u.instanode.connect({ token: 'understudy-paid-token' })
    await ok(agent, 'list_resources')
    const all = follow(control, { after: 0 })
    await until(() => told(all.events).some(([type, tool]) => type === 'ended' && tool === 'list_resources'))
    const fresh = await HttpStream.open(`${u.control.url}/journal/stream`, 'GET', {})
    await ok(agent, 'get_api_token')
    await fresh.has('event: ended')
    expect(fresh.text).not.toContain('list_resources')
    fresh.drop()
  })

  it('continues after the last event that the client has seen, ends of earlier entries included', async () => {
    const { control, u } = await startControlled()
    const agent = await u.safebot.connect({ handle: 'worker' })
    const { url } = await ok(agent, 'create_room')
    const first = follow(control, { tool: 'claim_task', after: 0 })
    const parked = call(agent, 'claim_task', { url, timeout_seconds: 30 })
    await first.seen(1)
    first.leave()
    await first.done
    await u.clock.whenPending(1)
    await control.clock.advance(30_000)
    await parked
    await ok(agent, 'room_status', { url })
    const again = follow(control, { lastEventId: first.events[0]?.id ?? '' })
    await until(() => told(again.events).some(([, tool]) => tool === 'room_status'))
    expect(told(again.events).slice(0, 1)).toEqual([['ended', 'claim_task', 'ok']])
  })

  it('reports that the journal was cleared', async () => {
    const { control, u } = await startControlled()
    await u.safebot.connect()
    const stream = follow(control, { after: 0 })
    await stream.seen(1)
    await control.journal.clear()
    await until(() => stream.events.some(({ type }) => type === 'cleared'))
  })

  it('waits for a slow reader, and reports the entries that the reader has missed', async () => {
    const { u } = await startControlled()
    const { url } = u.control
    const slow = await HttpStream.open(`${url}/journal/stream?after=0`, 'GET', {})
    slow.response.pause()
    const raw = 'x'.repeat(1000)
    for (let sent = 0; sent < 12_000; sent++) {
      u.journal.close(
        u.journal.open({
          ...{
            server: 'safebot',
            transport: 'memory',
            session: null,
            caller: '',
            method: 'noise',
            tool: null,
          },
          ...{ arguments: undefined, headers: {}, raw },
        }),
        'ok',
      )
    }
    expect(u.journal.dropped).toBeGreaterThan(0)
    slow.response.resume()
    await slow.has('event: gap')
    await slow.has('"seq":12000')
    // Far less than what arrived has been kept for it.
    expect(slow.text.split('event: ').length).toBeLessThan(12_000)
    slow.drop()
  })

  it('ends with the instance', async () => {
    const { control, u } = await startControlled()
    const stream = follow(control, { after: 0 })
    await u.safebot.connect()
    await stream.seen(1)
    await u.close()
    await stream.done
  })
})
