import { describe, expect, it } from 'vitest'
import { startControlled } from '../../support/clients/control.js'
import { send } from '../../support/clients/raw-http.js'
import { PATIENT } from '../../support/run/run-options.js'
import { call, ok } from '../../support/servers/understudy.js'
import { until } from '../../support/until.js'

describe('the journal, over HTTP', () => {
  it('returns pages, filtered and ordered as requested', async () => {
    const { control, u } = await startControlled()
    const agent = await u.instanode.connect({ token: 'understudy-paid-token' })
    await ok(agent, 'create_webhook', { name: 'one' })
    await ok(agent, 'create_webhook', { name: 'two' })
    await call(agent, 'claim_token', { token: 'nonsense' })
    const made = await control.journal.page({ tool: 'create_webhook', limit: 1 })
    expect(made.entries.map(entry => entry.arguments)).toEqual([{ name: 'one' }])
    const rest = await control.journal.page({ tool: 'create_webhook', after: made.next })
    expect(rest.entries.map(entry => entry.arguments)).toEqual([{ name: 'two' }])
    expect((await control.journal.page({ arguments: { name: 'two' } })).entries).toEqual(rest.entries)
    expect((await control.journal.page({ outcome: 'tool_error' })).entries).toHaveLength(1)
    expect((await control.journal.page({ tool: null })).entries.map(({ method }) => method)).toContain(
      'initialize',
    )
    expect(rest.entries[0]).toEqual(
      JSON.parse(JSON.stringify(u.journal.entries({ arguments: { name: 'two' } })[0])),
    )
  })

  it('has each request with its answer', async () => {
    const { control, u } = await startControlled()
    const agent = await u.instanode.connect({ token: 'understudy-paid-token' })
    await call(agent, 'claim_token', { token: 'nonsense' })
    await send(`${u.instanode.apiUrl}/api/me/resources`, { method: 'GET' })
    const { entries } = await control.journal.page()
    const answers = await Promise.all(
      entries.map(async ({ seq }) => (await control.journal.find(seq)).answer),
    )
    const answered = (tool: string) => answers[entries.findIndex(entry => entry.tool === tool)] ?? ''
    expect(JSON.parse(answered('claim_token'))).toMatchObject({
      jsonrpc: '2.0',
      result: { isError: true, content: [{ text: expect.stringContaining('is not a resource token') }] },
    })
    const [asked, refusal] = [entries.at(-1), answers.at(-1)]
    expect(asked).toMatchObject({ method: 'GET /api/me/resources', outcome: 'protocol_error' })
    expect(refusal).toHaveLength(asked?.responseBytes ?? 0)
    await expect(control.journal.find(entries.length + 1)).rejects.toMatchObject({ code: 'unknown_entry' })
  })

  it('can be cleared, and has no requests to the control plane', async () => {
    const { control, u } = await startControlled()
    await u.safebot.connect()
    await control.journal.clear()
    await control.state()
    await control.requireReady()
    await control.metrics()
    expect((await control.journal.page()).entries).toEqual([])
  })

  it('can be waited for, with kept entries and new ones', async () => {
    const { control, u } = await startControlled()
    const agent = await u.instanode.connect({ token: 'understudy-paid-token' })
    await ok(agent, 'list_resources')
    expect(await control.journal.waitFor({ tool: 'list_resources' }, { count: 1 })).toHaveLength(1)
    const waiting = control.journal.waitFor({ tool: 'get_api_token', outcome: 'ok' }, PATIENT)
    await ok(agent, 'get_api_token')
    expect((await waiting).map(({ caller, outcome }) => [caller, outcome])).toEqual([['acct_paid', 'ok']])
  })

  it('reports the nearest entry when the time limit is over', async () => {
    const { control, u } = await startControlled()
    await call(await u.instanode.connect(), 'claim_token', { token: 'nonsense' })
    const waiting = control.journal.waitFor({ tool: 'claim_token', outcome: 'ok' }, { timeoutMs: 0 })
    await expect(waiting).rejects.toMatchObject({
      status: 408,
      code: 'journal_wait',
      message: expect.stringContaining('outcome is "tool_error", not "ok"'),
    })
  })

  it('stops waiting when its caller hangs up', async () => {
    const logged: string[] = []
    const log = {
      warn: (text: string) => void logged.push(text),
      error: (text: string) => void logged.push(text),
    }
    const { control, u } = await startControlled({ log })
    const leaving = new AbortController()
    const waiting = control.journal.waitFor(
      { tool: 'never', unknown: true },
      { signal: leaving.signal, timeoutMs: 600_000 },
    )
    await until(() => u.instance.machine.pending > 0)
    leaving.abort(new Error('enough'))
    await expect(waiting).rejects.toThrow('enough')
    await until(() => u.instance.machine.pending === 0)
    expect(logged).toEqual([])
  })

  it('answers waiting callers when the instance is closed', async () => {
    const { control, u, ask } = await startControlled()
    const waiting = control.journal.waitFor({ tool: 'never', unknown: true }, { timeoutMs: 600_000 })
    // Another request's answer: the one before it has arrived by then.
    await ask('GET', '/healthz')
    await Promise.all([
      expect(waiting).rejects.toMatchObject({ status: 503, code: 'journal_stopped' }),
      u.close(),
    ])
  })

  it('refuses a name that no entry can have, with the closest one', async () => {
    const { control, u } = await startControlled()
    await call(await u.instanode.connect(), 'delete_resource', { token: 'nonsense' })
    const misspelt = { tool: 'delete_resorce' }
    for (const ask of [
      () => control.journal.expectNothing(misspelt),
      () => control.journal.waitFor(misspelt, { timeoutMs: 0 }),
      () => control.journal.page(misspelt),
      () => control.journal.stream(misspelt).next(),
    ]) {
      await expect(ask()).rejects.toMatchObject({
        status: 400,
        code: 'unknown_tool',
        reason: 'no server has a tool "delete_resorce"',
        message: expect.stringContaining('"delete_resource" is probably meant'),
      })
    }
    await control.journal.expectNothing({ ...misspelt, unknown: true })
    expect((await control.journal.page({ ...misspelt, unknown: true })).entries).toEqual([])
  })

  it('knows the tools of overlays by their new names', async () => {
    const { control } = await startControlled()
    const decoy = { name: 'drop_all', description: 'A decoy', answer: 'no' }
    await control.catalogue.set([
      { server: 'instanode', do: { add: decoy } },
      { server: 'safebot', tool: 'room_status', do: { rename: 'room_state' } },
    ])
    await control.journal.expectNothing({ tool: 'drop_all' })
    await control.journal.expectNothing({ server: 'safebot', tool: 'room_state' })
    await control.journal.expectNothing({ server: 'safebot', tool: 'room_status' })
    const elsewhere = control.journal.expectNothing({ server: 'safebot', tool: 'drop_all' })
    await expect(elsewhere).rejects.toMatchObject({ code: 'unknown_tool' })
  })

  it('proves that nothing arrived, or lists the entries that did', async () => {
    const { control, u } = await startControlled()
    await control.journal.expectNothing({ tool: 'delete_resource' })
    await call(await u.instanode.connect(), 'delete_resource', { token: 'nonsense' })
    await expect(control.journal.expectNothing({ tool: 'delete_resource' })).rejects.toMatchObject({
      status: 409,
      code: 'journal_unexpected',
      message: expect.stringContaining('delete_resource tool_error'),
    })
  })
})
