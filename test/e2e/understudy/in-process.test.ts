import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import { describe, expect, it, onTestFinished } from 'vitest'
import { ControlClient } from '../../../servers/understudy/control-client.js'
import {
  createInstanode,
  createSafebot,
  createUnderstudy,
  type Handles,
} from '../../../servers/understudy/index.js'
import { RecordingDatabases } from '../../support/databases/recording-databases.js'
import { PATIENT } from '../../support/run/run-options.js'
import { call, ok, refused } from '../../support/servers/understudy.js'
import { until } from '../../support/until.js'

const MANUAL = { clock: 'manual', seed: 'alone' }

/** The listeners and sockets of this process. */
function open(): string[] {
  return process.getActiveResourcesInfo().filter(name => name.startsWith('TCP'))
}

/** Resolves once there are none: a socket's other end, which is in this process too, hears of it a little later. */
const nothingOpen = () => until(() => open().length === 0)

function closing<Running extends Handles>(running: Running): Running {
  onTestFinished(() => running.close())
  return running
}

describe('Instanode alone', () => {
  it('has the same handles', async () => {
    const instanode = closing(await createInstanode({ ...MANUAL, databases: new RecordingDatabases() }))
    const agent = await instanode.connect({ token: 'understudy-free-token' })
    await ok(agent, 'create_webhook', { name: 'hook' })
    const control = new ControlClient(instanode.control.url)
    const { instanode: shown, safebot } = await control.state()
    expect([shown?.resources.length, safebot]).toEqual([1, undefined])
    const snapshot = await instanode.snapshot()
    await instanode.clock.advance(86_400_000)
    expect((await ok(agent, 'list_resources')).resources).toEqual([])
    await instanode.restore(snapshot)
    expect((await ok(agent, 'list_resources')).resources).toHaveLength(1)
    await instanode.reset()
    expect((await ok(agent, 'list_resources')).resources).toEqual([])
    instanode.faults.set([{ server: 'instanode', tool: '*', when: { nth: 1 }, do: { toolError: 'no' } }])
    expect(await refused(agent, 'list_resources')).toContain('no')
    instanode.journal.expectNothing({ server: 'safebot', tool: 'ack_task' })
    instanode.journal.expectNothing({ server: 'safebot' })
  })

  it('does not know Safebot: not in faults, not in its state', async () => {
    const instanode = closing(await createInstanode(MANUAL))
    const faults = [{ server: 'safebot', tool: 'ack_task', when: { nth: 1 }, do: { hang: true as const } }]
    expect(() => instanode.faults.set(faults)).toThrow('there is no server "safebot"')
    const answer = await fetch(`${instanode.control.url}/state/safebot`)
    expect([answer.status, await answer.json()]).toMatchObject([404, { error: { code: 'no_such_server' } }])
  })
})

describe('Safebot alone', () => {
  it('has the same handles', async () => {
    const safebot = closing(await createSafebot(MANUAL))
    const worker = await safebot.connect({ handle: 'worker' })
    const { url } = await ok(worker, 'create_room')
    const parked = call(worker, 'claim_task', { url, timeout_seconds: 60 })
    await safebot.clock.whenPending(1)
    await new ControlClient(safebot.control.url).clock.advance(60_000)
    await parked
    await safebot.journal.waitFor({ tool: 'claim_task', outcome: 'ok' }, PATIENT)
    expect(await (await fetch(`${safebot.control.url}/readyz`)).json()).toMatchObject({
      checks: { safebot: { mcp: 'ok' } },
    })
    const refusal = new ControlClient(safebot.control.url).setPlan('acct_free', 'paid')
    await expect(refusal).rejects.toMatchObject({ status: 404, code: 'no_such_server' })
  })
})

describe('an instance', () => {
  it('leaves nothing open when it is closed, whatever is in progress', async () => {
    await nothingOpen()
    const u = await createUnderstudy(MANUAL)
    const worker = await u.safebot.connect({ handle: 'worker' })
    const { url } = await ok(worker, 'create_room')
    const parked = call(worker, 'claim_task', { url, timeout_seconds: 60 })
    await u.clock.whenPending(1)
    const waiting = new ControlClient(u.control.url).journal
      .waitFor({ tool: 'never', unknown: true })
      .catch(error => error.code)
    const stream = await fetch(`${u.control.url}/journal/stream`)
    await u.close()
    expect((await parked).isError).toBe(true)
    expect(await waiting).toBe('journal_stopped')
    await stream.text().catch(() => undefined)
    await nothingOpen()
  })

  it('names each tool once when a filter of the journal has an unknown one', async () => {
    const understudy = closing(await createUnderstudy(MANUAL))
    const names: string[] = []
    try {
      understudy.journal.entries({ tool: 'no_such_tool_at_all' })
    } catch (error) {
      names.push(...(String(error).match(/create_postgres|claim_task/g) ?? []))
    }
    expect(names.sort()).toEqual(['claim_task', 'create_postgres'])
  })

  it('can be closed twice, and moves no time after that', async () => {
    const u = await createUnderstudy(MANUAL)
    await Promise.all([u.close(), u.close()])
    await expect(u.clock.advance(1)).rejects.toMatchObject({ code: 'clock_closed' })
    await expect(u.clock.set({ now: 1 })).rejects.toMatchObject({ code: 'clock_closed' })
    await expect(u.reset()).rejects.toMatchObject({ code: 'instance_closed' })
    await expect(new ControlClient(u.control.url).clock.get()).rejects.toMatchObject({
      ...{ status: 0, code: 'unreachable', hint: expect.stringContaining('understudy up') },
    })
  })

  it('leaves nothing open when it cannot start', async () => {
    await nothingOpen()
    const taken = closing(await createSafebot(MANUAL))
    const port = Number(new URL(taken.control.url).port)
    await expect(createUnderstudy({ ...MANUAL, controlPort: port })).rejects.toMatchObject({
      ...{ code: 'port_busy', hint: expect.stringContaining('--control-port') },
    })
    await taken.close()
    await nothingOpen()
  })

  it('can be one of two hundred in a process, each with its own state', async () => {
    await nothingOpen()
    const all = await Promise.all(
      Array.from({ length: 200 }, (_, at) => createUnderstudy({ clock: 'manual', seed: `seed ${at}` })),
    )
    const urls = all.flatMap(u => [u.instanode.apiUrl, u.safebot.apiUrl, u.control.url])
    expect(new Set(urls).size).toBe(600)
    await Promise.all(
      all.map(async (u, at) => {
        await new ControlClient(u.control.url).clock.advance(at)
        const agent = await u.safebot.connect({ handle: `agent-${at}` })
        await ok(agent, 'create_room')
      }),
    )
    for (const [at, u] of all.entries()) {
      expect(u.clock.now() - (all[0]?.clock.now() ?? 0)).toBe(at)
      expect(u.journal.entries({ tool: 'create_room' }).map(({ caller }) => caller)).toEqual([`agent-${at}`])
    }
    await Promise.all(all.map(u => u.close()))
    await nothingOpen()
  })

  it('lets its process end by itself, from the published package', async () => {
    const program = `
      import { createUnderstudy } from 'mcp-understudy'
      import { ControlClient } from 'mcp-understudy/control'
      const u = await createUnderstudy({ clock: 'manual' })
      const agent = await u.instanode.connect()
      await agent.callTool({ name: 'create_postgres', arguments: { name: 'db' } })
      const control = new ControlClient(u.control.url)
      console.log((await control.state()).instanode.resources[0].database.state)
      await agent.close()
      await u.close()
    `
    const { stdout } = await promisify(execFile)(process.execPath, ['--input-type=module', '-e', program])
    expect(stdout).toBe('awake\n')
  })
})
