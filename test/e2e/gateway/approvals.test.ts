import { describe, expect, it } from 'vitest'
import type { Gateway } from '../../../servers/gateway/index.js'
import type { PolicyEngine } from '../../../servers/gateway/policy/index.js'
import { HttpStream } from '../../support/clients/http-stream.js'
import { openSession, rpc, send } from '../../support/clients/raw-http.js'
import { connectOver, startGateway } from '../../support/gateway/gateway.js'
import { call, startUnderstudy, textOf } from '../../support/servers/understudy.js'
import { until } from '../../support/until.js'

/** Every call needs an approval, except lists. */
const ASKING: PolicyEngine = {
  decide: ({ approved }) =>
    approved === true
      ? { outcome: 'allow', settle: () => undefined }
      : { outcome: 'approve', rule: 'ask', message: 'Somebody has to look at this first.' },
  hides: () => false,
  snapshot: () => null,
  restore: () => undefined,
}
const CALL = rpc('tools/call', { name: 'create_room', arguments: {} }, 1)

async function asking(approvalHoldMs = 0, more: { approvalPort?: number } = {}) {
  const understudy = await startUnderstudy()
  const { clock } = understudy
  const upstream = understudy.safebot.mcpUrl
  const gateway = await startGateway({ policy: ASKING, upstream, clock, approvalHoldMs, ...more })
  const reached = () => understudy.journal.entries({ tool: 'create_room' }).length
  return { understudy, gateway, reached }
}

const onlyOne = ({ approvals }: Gateway) => {
  const [approval, ...more] = approvals.list().filter(({ state }) => state === 'pending')
  if (approval === undefined || more.length > 0)
    throw new Error(`there are ${approvals.list().length} approvals`)
  return approval
}

describe('a call that needs an approval', () => {
  // fidelity gateway/intercept, differs: A program cannot read the reason of a denial. Here: `_meta` names
  // the rule, so that a test can check it.
  it('is refused with the id of the approval, and passes once after the approval', async () => {
    const { gateway, reached } = await asking()
    const client = await connectOver(gateway.url)
    const refused = await call(client, 'create_room', {})
    const { id } = onlyOne(gateway)
    expect(textOf(refused)).toContain(id)
    expect(refused._meta).toMatchObject({
      'mcp-understudy/policy': { outcome: 'approval_required', rule: 'ask', approval: id },
    })
    await call(client, 'create_room', {})
    expect(onlyOne(gateway).id).toBe(id)
    expect(reached()).toBe(0)
    gateway.approvals.decide(id, 'approve')
    expect((await call(client, 'create_room', { name: 'another' })).isError).toBe(true)
    expect((await call(client, 'create_room', {})).isError).toBeUndefined()
    expect(reached()).toBe(1)
    expect((await call(client, 'create_room', {})).isError).toBe(true)
    expect(reached()).toBe(1)
    expect(gateway.audit.entries().map(({ outcome }) => outcome)).toContain('approved')
  })

  // fidelity gateway/policylayer, differs: Approvals exist, and no protocol is published. Here: A call can
  // wait for its approval, because a test needs some protocol.
  it('waits for its approval if configured, and then passes', async () => {
    const { gateway, reached } = await asking(30_000)
    const client = await connectOver(gateway.url)
    const held = call(client, 'create_room', {})
    await until(() => gateway.approvals.list().length === 1)
    expect(reached()).toBe(0)
    gateway.approvals.decide(onlyOne(gateway).id, 'approve')
    expect((await held).isError).toBeUndefined()
    expect(gateway.approvals.list()).toMatchObject([{ state: 'used' }])
    expect(gateway.audit.entries()).toMatchObject([
      { outcome: 'approved', rule: 'ask', upstream: { status: 200 } },
    ])
  })

  it('is denied when a user refuses it, and when the time is over', async () => {
    const { gateway, understudy, reached } = await asking(30_000)
    const client = await connectOver(gateway.url)
    const first = call(client, 'create_room', { name: 'a' })
    await until(() => gateway.approvals.list().length === 1)
    gateway.approvals.decide(onlyOne(gateway).id, 'refuse')
    expect((await first)._meta).toMatchObject({ 'mcp-understudy/policy': { outcome: 'refused' } })
    const second = call(client, 'create_room', { name: 'b' })
    await until(() => gateway.approvals.list().length === 2)
    await understudy.clock.advance(30_000)
    expect((await second)._meta).toMatchObject({ 'mcp-understudy/policy': { outcome: 'approval_required' } })
    expect(reached()).toBe(0)
    await understudy.clock.advance(10 * 60_000)
    expect(gateway.approvals.list()).toEqual([])
  })

  it('waits no longer than the approval can be given', async () => {
    const { gateway, understudy } = await asking(3_600_000)
    const held = call(await connectOver(gateway.url), 'create_room', {})
    await until(() => gateway.approvals.list().length === 1)
    const { id } = onlyOne(gateway)
    await understudy.clock.advance(10 * 60_000)
    expect(textOf(await held)).toContain(`Approval ${id} expired without a decision`)
    expect(() => gateway.approvals.decide(id, 'approve')).toThrow('there is no approval')
    expect(gateway.approvals.list()).toEqual([])
  })

  it('is withdrawn by a caller that hangs up, and by one that cancels it', async () => {
    const { gateway, reached } = await asking(30_000)
    const headers = { 'mcp-session-id': await openSession(gateway.url) }
    const dropped = HttpStream.open(gateway.url, 'POST', headers, CALL, request => {
      request.on('error', () => undefined)
      void until(() => gateway.approvals.list().length === 1).then(() => request.destroy())
    }).catch(() => undefined)
    await until(() => gateway.approvals.list()[0]?.state === 'withdrawn')
    await dropped
    const cancelled = send(gateway.url, { headers, body: CALL })
    await until(() => gateway.approvals.list().length === 2)
    await send(gateway.url, {
      headers,
      body: { jsonrpc: '2.0', method: 'notifications/cancelled', params: { requestId: 1 } },
    })
    await cancelled
    expect(gateway.approvals.list().map(({ state }) => state)).toEqual(['withdrawn', 'withdrawn'])
    expect(reached()).toBe(0)
  })

  it('is decided once, and an unknown one is refused', async () => {
    const { gateway } = await asking()
    await send(gateway.url, { body: CALL })
    const { id } = onlyOne(gateway)
    gateway.approvals.decide(id, 'refuse')
    expect(() => gateway.approvals.decide(id, 'approve')).toThrow(/is refused already/)
    expect(() => gateway.approvals.decide('apr_nothing', 'approve')).toThrow(/there is no approval/)
    expect((await send(gateway.url, { body: CALL })).json).toMatchObject({
      result: { _meta: { 'mcp-understudy/policy': { outcome: 'refused', approval: id } } },
    })
  })

  it('is decided over HTTP, on a port other than the port of the agents', async () => {
    const { gateway } = await asking(0, { approvalPort: 0 })
    const { approvalsUrl = '' } = gateway
    await send(gateway.url, { body: CALL })
    const { json } = await send(approvalsUrl, { method: 'GET' })
    expect(json).toMatchObject({ approvals: [{ state: 'pending', tool: 'create_room', argumentKeys: [] }] })
    const one = `${approvalsUrl}/${onlyOne(gateway).id}`
    const decide = async (url: string, body: unknown, headers = {}) =>
      (await send(url, { body, headers })).status
    expect(await decide(one, '{')).toBe(400)
    expect(await decide(one, { decision: 'maybe' })).toBe(400)
    expect(await decide(one, { decision: 'approve' }, { origin: 'https://evil.invalid' })).toBe(403)
    expect(await decide(`${approvalsUrl}/apr_nothing`, { decision: 'approve' })).toBe(404)
    expect(await decide(one, { decision: 'approve' })).toBe(200)
    expect(await decide(one, { decision: 'approve' })).toBe(409)
    expect((await send(gateway.url.replace('/mcp', '/approvals'), { method: 'GET' })).status).toBe(404)
    expect((await send(gateway.url, { body: CALL })).json).toMatchObject({
      result: { structuredContent: {} },
    })
  })
})
