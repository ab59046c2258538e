import { describe, expect, it } from 'vitest'
import { createEngine, readPolicy } from '../../../servers/gateway/policy/index.js'
import { rpc, send } from '../../support/clients/raw-http.js'
import { startGateway } from '../../support/gateway/gateway.js'
import { GatewayPipe } from '../../support/gateway/gateway-pipe.js'
import { startUnderstudy } from '../../support/servers/understudy.js'

const MINUTE = 60_000

const POLICY = `version: "1"
approvals:
  dedupe_window: "5m"
tools:
  create_room:
    rules:
      - name: ask-first
        action: require_approval
        approval_timeout: "30m"
        on_deny: "Rooms are made with a person's consent."
`

async function asking(policy = POLICY, more: { approvalHoldMs?: number; approvalPort?: number } = {}) {
  const understudy = await startUnderstudy()
  const { clock, journal } = understudy
  const engine = createEngine(readPolicy(policy, 'policy.yaml').policy, clock)
  const gateway = await startGateway({ policy: engine, upstream: understudy.safebot.mcpUrl, clock, ...more })
  let id = 0
  /** Calls create_room. @returns the answer */
  const create = async (args: object = {}) => {
    const body = rpc('tools/call', { name: 'create_room', arguments: args }, ++id)
    return Object((await send(gateway.url, { body })).json)
  }
  /** Likewise. @returns the id of the approval that the answer asks for */
  const asks = async (args: object = {}) => String((await create(args)).error.data.approval_id)
  const reached = () => journal.entries({ tool: 'create_room' }).length
  return { understudy, gateway, reached, create, asks }
}

describe('a call for which Intercept requires an approval', () => {
  // fidelity gateway/intercept, same: With `intercept@2026-04`, `require_approval` answers at once with error
  // -32003, an `apr_` id and `human_instructions`. The layout of `data` is not published.
  it('is answered at once with error -32003, and does not reach the upstream', async () => {
    const { gateway, understudy, reached } = await asking()
    const { status, json } = await send(gateway.url, {
      body: rpc('tools/call', { name: 'create_room', arguments: {} }, 7),
    })
    const [approval] = gateway.approvals.list()
    const until = new Date(understudy.clock.now() + 30 * MINUTE).toISOString()
    expect(status).toBe(200)
    expect(json).toEqual({
      jsonrpc: '2.0',
      id: 7,
      error: {
        code: -32003,
        message: "[INTERCEPT APPROVAL REQUIRED] Rooms are made with a person's consent.",
        data: {
          approval_id: approval?.id,
          tool: 'create_room',
          rule: 'ask-first',
          expires_at: until,
          human_instructions: `A person approves it with POST /approvals/${approval?.id} {"decision":"approve"}, on the approvals port of the gateway or on the control plane. Then make the same call again, before ${until}.`,
        },
      },
    })
    expect(approval?.id).toMatch(/^apr_/)
    expect(gateway.audit.entries()).toMatchObject([
      { outcome: 'denied', rule: 'ask-first', approval: approval?.id },
    ])
    expect(reached()).toBe(0)
  })

  // fidelity gateway/intercept, same: An approved call with the same arguments passes once.
  it('passes once when it is approved over HTTP, and not with other arguments', async () => {
    const { gateway, reached, create, asks } = await asking(POLICY, { approvalPort: 0 })
    const id = await asks()
    const decided = await send(`${gateway.approvalsUrl}/${id}`, { body: { decision: 'approve' } })
    expect(decided.status).toBe(200)
    expect(await create({ name: 'b' })).toMatchObject({ error: { code: -32003 } })
    expect(reached()).toBe(0)
    expect((await create()).result.isError).toBeUndefined()
    expect(reached()).toBe(1)
    expect(await create()).toMatchObject({ error: { code: -32003 } })
    expect(reached()).toBe(1)
  })

  it('is the same call whatever the order of its keys, also inside a list', async () => {
    const { gateway, create, asks } = await asking()
    const id = await asks({ list: [{ a: 1, b: 2 }], name: 'x' })
    expect(await asks({ name: 'x', list: [{ b: 2, a: 1 }] })).toBe(id)
    gateway.approvals.decide(id, 'approve')
    expect((await create({ name: 'x', list: [{ b: 2, a: 1 }] })).error).toBeUndefined()
  })

  it('is never held, also if the gateway holds calls for other approvals', async () => {
    const { create } = await asking(POLICY, { approvalHoldMs: 30_000 })
    expect(await create()).toMatchObject({ error: { code: -32003 } })
  })

  it('is answered in the same way on a pipe', async () => {
    const { gateway } = await asking()
    const pipe = new GatewayPipe(gateway)
    expect(await pipe.ask(rpc('tools/call', { name: 'create_room', arguments: {} }, 9))).toMatchObject({
      id: 9,
      error: { code: -32003, data: { approval_id: gateway.approvals.list()[0]?.id } },
    })
  })

  // fidelity gateway/intercept, same: Within `dedupe_window` the same request is pending. Its default is not
  // published.
  it('keeps the pending request within the dedupe window, and makes a new one after it', async () => {
    const { understudy, gateway, asks } = await asking()
    const first = await asks()
    await understudy.clock.advance(5 * MINUTE - 1)
    expect(await asks()).toBe(first)
    await understudy.clock.advance(1)
    expect(await asks()).not.toBe(first)
    expect(gateway.approvals.list().map(({ state }) => state)).toEqual(['pending', 'pending'])
  })

  // fidelity gateway/intercept, same: An approval is good until `approval_timeout`. Its default is not
  // published.
  it('can be approved and made until the approval expires', async () => {
    const { understudy, gateway, create, asks, reached } = await asking()
    const id = await asks()
    await understudy.clock.advance(30 * MINUTE - 1)
    gateway.approvals.decide(id, 'approve')
    await understudy.clock.advance(1)
    expect(await create()).toMatchObject({ error: { code: -32003 } })
    expect(reached()).toBe(0)
  })

  it('is denied when it is refused', async () => {
    const { gateway, create, asks } = await asking()
    const id = await asks()
    gateway.approvals.decide(id, 'refuse')
    expect(await create()).toMatchObject({
      result: { isError: true, _meta: { 'mcp-understudy/policy': { outcome: 'refused', approval: id } } },
    })
  })

  // fidelity gateway/intercept, same: A failure of the upstream gives the use of an approval back.
  it.each([
    ['a JSON-RPC error', 'approved', { rpcError: { code: -32000, message: 'down' } }],
    ['a tool error', 'approved', { toolError: 'down' }],
    ['no answer that can be read', 'used', { httpStatus: 503 }],
  ])('that the upstream answers with %s leaves the approval %s', async (_, state, trouble) => {
    const { understudy, gateway, create, asks, reached } = await asking()
    gateway.approvals.decide(await asks(), 'approve')
    understudy.faults.set([{ server: 'safebot', tool: 'create_room', when: { nth: 1 }, do: trouble }])
    await create()
    expect(gateway.approvals.list()).toMatchObject([{ state }])
    const again = await create()
    expect(again.error === undefined).toBe(state === 'approved')
    expect(reached()).toBe(state === 'approved' ? 2 : 1)
  })

  it('is requested by each rule separately', async () => {
    const policy = `version: "1"
tools:
  create_room:
    rules:
      - { name: named, action: require_approval, conditions: [{ path: args.name, op: exists, value: true }] }
`
    const { create } = await asking(policy)
    expect((await create()).error).toBeUndefined()
    expect(await create({ name: 'a' })).toMatchObject({ error: { code: -32003, data: { rule: 'named' } } })
  })
})
