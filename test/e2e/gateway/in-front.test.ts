import { mkdtemp, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, it, onTestFinished } from 'vitest'
import type { PolicyEngine } from '../../../servers/gateway/policy/index.js'
import type { ControlClient, GatewayEvent } from '../../../servers/understudy/control-client.js'
import { createInstanode, type GatewaysOptions } from '../../../servers/understudy/index.js'
import { startControlled } from '../../support/clients/control.js'
import { connectOver } from '../../support/gateway/gateway.js'
import { call, ok, textOf } from '../../support/servers/understudy.js'
import { until } from '../../support/until.js'

const INSTANODE = 'fixtures/policies/policylayer/instanode.json'

/** A policy that asks for an approval of `create_room`, and allows all other tools. */
const ASKING: PolicyEngine = {
  decide: ({ tool, approved }) =>
    tool !== 'create_room' || approved === true
      ? { outcome: 'allow', settle: () => undefined }
      : { outcome: 'approve', rule: 'ask', message: 'Somebody has to look at this first.' },
  hides: () => false,
  snapshot: () => null,
  restore: () => undefined,
}

const start = (gateways: GatewaysOptions, more = {}) => startControlled({ gateways, ...more })

/** Reads the stream of the gateways for the rest of the test. */
function follow(control: ControlClient, request: Parameters<ControlClient['gateways']['stream']>[0] = {}) {
  const leaving = new AbortController()
  onTestFinished(() => leaving.abort())
  const events: GatewayEvent[] = []
  const done = (async () => {
    for await (const event of control.gateways.stream({ signal: leaving.signal, ...request }))
      events.push(event)
  })().catch(() => undefined)
  return { events, done, leave: () => leaving.abort() }
}

const told = (events: readonly GatewayEvent[]) =>
  events.map(event => {
    if (event.type === 'audit') return [event.type, event.entry.tool, event.entry.outcome]
    return event.type === 'approval' ? [event.type, event.approval.tool, event.approval.state] : [event.type]
  })

describe('a gateway of an instance', () => {
  it('is in front of the given server, and is listed with its policy', async () => {
    const { u, control } = await start({
      instanode: INSTANODE,
      safebot: { policy: ASKING, approvalHoldMs: 5 },
    })
    expect(await control.gateways.list()).toEqual([
      {
        ...{ name: 'gateway of instanode', server: 'instanode', url: u.gateways.instanode.url },
        ...{ policy: { name: INSTANODE, dialect: 'policylayer' }, grants: [], approvalHoldMs: 0 },
      },
      {
        ...{ name: 'gateway of safebot', server: 'safebot', url: u.gateways.safebot.url },
        ...{ policy: null, grants: [], approvalHoldMs: 5 },
      },
    ])
    const agent = await connectOver(u.gateways.instanode.url)
    expect((await agent.listTools()).tools.map(({ name }) => name)).not.toContain('delete_resource')
  })

  it('is listed with its grants, without their bearer tokens', async () => {
    const grants = [
      { label: 'build', token: 'secret-bearer', policy: INSTANODE },
      { label: 'idle', token: 'other-bearer' },
    ]
    const { ask } = await start({ instanode: { grants } })
    const { json, body } = await ask('GET', '/gateways')
    expect(json).toMatchObject({
      gateways: [
        {
          policy: null,
          grants: [
            { label: 'build', policy: { name: INSTANODE, dialect: 'policylayer' } },
            { label: 'idle', policy: null },
          ],
        },
      ],
    })
    expect(body).not.toContain('bearer')
  })

  it('keeps the headers that it adds out of the journal, whatever their names', async () => {
    const upstreamHeaders = ['X-Upstream: sesame']
    const { u, ask } = await start({ instanode: { policy: INSTANODE, upstreamHeaders } })
    await call(await connectOver(u.gateways.instanode.url), 'list_resources')
    const [entry] = u.journal.entries({ tool: 'list_resources' })
    expect(entry?.headers).toMatchObject({ 'x-upstream': '[masked]' })
    expect((await ask('GET', '/journal')).body).not.toContain('sesame')
  })

  it('does not exist by default: no gateway, no decision and no approval is listed', async () => {
    const { u, control } = await start({})
    expect([await control.gateways.list(), await control.gateways.approvals()]).toEqual([[], []])
    expect(await control.gateways.audit()).toEqual({ entries: [], next: 0, dropped: 0 })
    expect(() => u.gateways.safebot).toThrow(/there is no gateway in front of safebot/)
  })

  it('can be in front of one server alone, and not in front of an unknown one', async () => {
    const alone = await createInstanode({ clock: 'manual', gateways: { instanode: INSTANODE } })
    onTestFinished(() => alone.close())
    const agent = await connectOver(alone.gateways.instanode.url)
    expect(textOf(await call(agent, 'delete_resource', { token: 'x' }))).toContain('POLICY DENIED')
    await expect(createInstanode({ gateways: { safebot: INSTANODE } })).rejects.toThrow(
      /configured for "safebot", and this instance has no such server/,
    )
  })

  it('leaves nothing running if its policy cannot be read', async () => {
    await expect(start({ instanode: 'package.json' })).rejects.toThrow(/package\.json:/)
  })

  it('shows its denials, with their rules, in the audit and on its stream, but not in the journal', async () => {
    const { u, control } = await start({ instanode: INSTANODE })
    const stream = follow(control, { after: 0 })
    const agent = await connectOver(u.gateways.instanode.url)
    await call(agent, 'delete_resource', { token: 'secret-token' })
    await call(agent, 'list_resources')
    await until(() => stream.events.length === 2)
    const { entries, next } = await control.gateways.audit()
    expect(stream.events.map(event => event.type === 'audit' && event.entry)).toEqual(entries)
    expect([next, entries]).toMatchObject([
      2,
      [
        {
          seq: 1,
          server: 'instanode',
          tool: 'delete_resource',
          outcome: 'denied',
          rule: '(hidden)',
          upstream: null,
        },
        {
          seq: 2,
          server: 'instanode',
          tool: 'list_resources',
          outcome: 'allowed',
          upstream: { entry: null },
        },
      ],
    ])
    expect(JSON.stringify(entries)).not.toContain('secret-token')
    u.journal.expectNothing({ tool: 'delete_resource' })
    const [reached] = u.journal.entries({ tool: 'list_resources' })
    expect(entries[1]?.argsHash).toBe(reached?.argsHash)
  })

  it('shows the journal entry of a call, if answers are stamped', async () => {
    const { u, control } = await start({ safebot: { policy: ASKING } }, { stamp: true })
    const agent = await connectOver(u.gateways.safebot.url)
    await call(agent, 'room_status', { url: 'nonsense' })
    const [reached] = u.journal.entries({ tool: 'room_status' })
    const { entries } = await control.gateways.audit({ tool: 'room_status' })
    expect(entries).toMatchObject([{ upstream: { entry: reached?.seq } }])
  })

  it('lists decisions by server, tool and outcome, in pages', async () => {
    const { u, control } = await start({ instanode: INSTANODE, safebot: ASKING })
    const [one, other] = [
      await connectOver(u.gateways.instanode.url),
      await connectOver(u.gateways.safebot.url),
    ]
    for (const tool of ['list_resources', 'delete_resource', 'list_resources']) await call(one, tool, {})
    await call(other, 'room_status', {})
    const picked = async (request: Parameters<ControlClient['gateways']['audit']>[0]) =>
      (await control.gateways.audit(request)).entries.map(({ seq }) => seq)
    expect(await picked({ server: 'safebot' })).toEqual([4])
    expect(await picked({ tool: 'list_resources' })).toEqual([1, 3])
    expect(await picked({ outcome: 'denied' })).toEqual([2])
    const { next } = await control.gateways.audit({ limit: 2 })
    expect(await picked({ after: next })).toEqual([3, 4])
    expect(await control.metrics()).toContain(
      'understudy_gateway_calls_total{server="instanode",outcome="denied"} 1',
    )
  })

  it('has a stream that continues after the last event that the client has seen', async () => {
    const { u, control } = await start({ instanode: INSTANODE })
    const agent = await connectOver(u.gateways.instanode.url)
    const first = follow(control, { after: 0 })
    await call(agent, 'list_resources')
    await until(() => first.events.length === 1)
    first.leave()
    await first.done
    await call(agent, 'delete_resource')
    const again = follow(control, { lastEventId: first.events[0]?.id ?? '' })
    await until(() => again.events.length === 1)
    expect(told(again.events)).toEqual([['audit', 'delete_resource', 'denied']])
    await u.close()
    await again.done
  })
})

describe('a call that waits for its approval in a gateway of an instance', () => {
  const held = async () => {
    const running = await start({ safebot: { policy: ASKING, approvalHoldMs: 30_000 } })
    const { u, control } = running
    const agent = await connectOver(u.gateways.safebot.url)
    const stream = follow(control, { after: 0 })
    const answer = call(agent, 'create_room')
    await until(() => stream.events.length === 1)
    const [approval] = await control.gateways.approvals()
    return { ...running, agent, answer, stream, id: approval?.id ?? '' }
  }

  // fidelity gateway/policylayer, differs: No protocol for approvals is published. Here: The control plane
  // decides, and the approved call passes once, because a test needs some protocol.
  it('is approved over the control plane, passes once, and is reported at each step', async () => {
    const { u, control, agent, answer, stream, id } = await held()
    expect(await control.gateways.approvals()).toMatchObject([{ id, server: 'safebot', state: 'pending' }])
    expect(u.journal.entries({ tool: 'create_room' })).toEqual([])
    expect(await control.gateways.decide(id, 'approve')).toMatchObject({ server: 'safebot', state: 'used' })
    expect((await answer).isError).toBeUndefined()
    const again = call(agent, 'create_room')
    await until(() => u.gateways.safebot.approvals.list().length === 2)
    expect(u.journal.entries({ tool: 'create_room' })).toHaveLength(1)
    await u.clock.advance(30_000)
    expect((await again).isError).toBe(true)
    await until(() => stream.events.length === 5)
    expect(told(stream.events)).toEqual([
      ['approval', 'create_room', 'pending'],
      ['approval', 'create_room', 'used'],
      ['audit', 'create_room', 'approved'],
      ['approval', 'create_room', 'pending'],
      ['audit', 'create_room', 'denied'],
    ])
  })

  it('is decided once, and an unknown one is refused', async () => {
    const { ask, answer, id } = await held()
    const decide = async (path: string, decision: unknown) => {
      const { status, json } = await ask('POST', `/approvals/${path}`, { decision })
      return [status, Object(json).error?.code]
    }
    expect(await decide(id, 'maybe')).toEqual([400, 'bad_decision'])
    expect(await decide('apr_nothing', 'approve')).toEqual([404, 'unknown_approval'])
    expect(await decide(id, 'refuse')).toEqual([200, undefined])
    expect(await decide(id, 'approve')).toEqual([409, 'approval_decided'])
    expect((await answer)._meta).toMatchObject({ 'mcp-understudy/policy': { outcome: 'refused' } })
  })

  it('is denied by a reset, which clears the approvals and the audit', async () => {
    const { u, control, answer, stream, id } = await held()
    await control.reset()
    expect(textOf(await answer)).toContain(`Approval ${id} was withdrawn`)
    expect(await control.gateways.approvals()).toEqual([])
    expect((await control.gateways.audit()).entries).toEqual([])
    await until(() => stream.events.some(({ type }) => type === 'cleared'))
    u.journal.expectNothing({ tool: 'create_room' })
  })

  it('is denied by a restore; an approval that was pending in the snapshot can still be decided', async () => {
    const { u, control, answer, id } = await held()
    const snapshot = await u.snapshot()
    expect(await control.gateways.approvals()).toMatchObject([{ id, state: 'pending' }])
    await u.restore(snapshot)
    expect(textOf(await answer)).toContain(`Approval ${id} was withdrawn`)
    expect(await control.gateways.approvals()).toMatchObject([{ id, state: 'pending' }])
    u.journal.expectNothing({ tool: 'create_room' })
  })
})

it('an approval that a restore brings back is valid again, and the stream reports it; the record continues', async () => {
  const { u, control } = await start({ safebot: ASKING })
  const agent = await connectOver(u.gateways.safebot.url)
  await call(agent, 'create_room')
  const [asked] = await control.gateways.approvals()
  await control.gateways.decide(asked?.id ?? '', 'approve')
  const snapshot = await u.snapshot()
  await ok(agent, 'create_room')
  expect((await call(agent, 'create_room')).isError).toBe(true)
  const stream = follow(control, { after: 0 })
  await until(() => stream.events.length === 7)
  await u.restore(snapshot)
  await until(() => stream.events.length === 9)
  expect(told(stream.events).slice(-2)).toEqual([
    ['approval', 'create_room', 'withdrawn'],
    ['approval', 'create_room', 'approved'],
  ])
  expect(await control.gateways.approvals()).toMatchObject([{ id: asked?.id, state: 'approved' }])
  await ok(agent, 'create_room')
  expect((await control.gateways.audit({ outcome: 'approved' })).entries).toHaveLength(2)
})

it('the rate windows of a gateway follow the clock, are cleared by a reset, and are restored by a snapshot', async () => {
  const path = join(await mkdtemp(join(tmpdir(), 'in-front-')), 'policy.json')
  const limits = [{ counter: 'status', window: 'minute', max: 2, scope: 'grant' }]
  await writeFile(
    path,
    JSON.stringify({ version: '1', default: 'allow', tools: { room_status: { limits } } }),
  )
  const { u, control } = await start({ safebot: path })
  const agent = await connectOver(u.gateways.safebot.url)
  const denied = async (times: number) => {
    const seen: boolean[] = []
    for (let at = 0; at < times; at++)
      seen.push(textOf(await call(agent, 'room_status', {})).includes('POLICY DENIED'))
    return seen
  }
  expect(await denied(3)).toEqual([false, false, true])
  await control.clock.advance(60_000)
  expect(await denied(1)).toEqual([false])
  const snapshot = await control.snapshot()
  await control.reset()
  expect(await denied(3)).toEqual([false, false, true])
  await control.restore(snapshot)
  expect(await denied(2)).toEqual([false, true])
})
