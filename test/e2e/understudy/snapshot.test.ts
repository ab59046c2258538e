import { describe, expect, it } from 'vitest'
import { createUnderstudy } from '../../../servers/understudy/index.js'
import { dataOf } from '../../../servers/understudy/state.js'
import { HttpStream } from '../../support/clients/http-stream.js'
import { send } from '../../support/clients/raw-http.js'
import { ack, claim, claimNow, createRoom, say, transcript } from '../../support/clients/room.js'
import { registeredAgent } from '../../support/clients/safebot-agent.js'
import { codeOf, connected } from '../../support/databases/databases.js'
import { RecordingDatabases } from '../../support/databases/recording-databases.js'
import {
  connectOverHttp,
  createPostgres,
  createWebhook,
  DAY,
  listed,
  PAID,
} from '../../support/servers/instanode.js'
import { call, ok, startUnderstudy, textOf } from '../../support/servers/understudy.js'
import { until } from '../../support/until.js'

describe('a snapshot', () => {
  it('restores resources, deliveries, caps and the time, and resources expire as before', async () => {
    const understudy = await startUnderstudy()
    const { instanode, clock } = understudy
    const account = await instanode.connect({ token: PAID })
    const anonymous = await instanode.connect({ address: '203.0.113.1' })
    const hook = await createWebhook(anonymous, 'kept')
    await send(hook.receive_url, { body: 'one' })
    const snapshot = await understudy.snapshot()

    await send(hook.receive_url, { body: 'two' })
    for (let nth = 0; nth < 4; nth++) await createWebhook(anonymous)
    await createWebhook(account, 'not kept')
    await clock.advance(DAY)
    await understudy.restore(snapshot)

    expect(clock.now()).toBe(snapshot.at)
    expect(await listed(account)).toEqual([])
    expect((await instanode.deliveries(hook.token)).map(({ body }) => body.toString())).toEqual(['one'])
    for (let nth = 0; nth < 4; nth++) await createWebhook(anonymous)
    expect((await call(anonymous, 'create_webhook', { name: 'sixth' })).isError).toBe(true)
    await clock.advance(DAY)
    expect((await send(hook.receive_url, { body: 'late' })).status).toBe(410)
  })

  it('restores rooms, cursors and leases, and a lease expires as before', async () => {
    const understudy = await startUnderstudy()
    const { safebot, clock } = understudy
    const [boss, worker] = [
      await safebot.connect({ handle: 'boss' }),
      await safebot.connect({ handle: 'worker' }),
    ]
    const url = await createRoom(boss)
    for (const text of ['one', 'two']) await say(boss, url, text)
    const task = await claimNow(worker, url)
    await clock.advance(50_000)
    const snapshot = await understudy.snapshot()

    await ack(worker, url, task)
    await say(boss, url, 'three')
    await clock.advance(DAY)
    await understudy.restore(snapshot)

    expect(await transcript(boss, url)).toEqual(['one', 'two'])
    expect(await claimNow(worker, url)).toEqual(task)
    await clock.advance(10_001)
    const again = await claimNow(worker, url)
    expect([again.text, again.claimId === task.claimId]).toEqual(['one', false])
  })

  it('restores the names and the presence of agents', async () => {
    const understudy = await startUnderstudy()
    const agent = await understudy.safebot.connect({ handle: 'agent' })
    const url = await createRoom(agent)
    await say(agent, url, 'hello', 'anna')
    const snapshot = await understudy.snapshot()
    await say(agent, url, 'hello', 'berta')
    const other = await understudy.safebot.connect({ handle: 'other' })
    await say(other, url, 'hello')
    await understudy.restore(snapshot)
    expect(await ok(agent, 'room_status', { url })).toMatchObject({ status: { participants: 1 } })
    await say(agent, url, 'again')
    expect(await ok(agent, 'get_transcript', { url })).toMatchObject({
      messages: [{ sender: 'anna' }, { sender: 'anna' }],
    })
  })

  it('restores identities and used signatures', async () => {
    const understudy = await startUnderstudy()
    const { apiUrl } = understudy.safebot
    const agent = await registeredAgent(apiUrl, 'signer', () => understudy.clock.now())
    const stamp = { nonce: 'once-and-never-again' }
    const target = '/api/rooms/ROOM01/claim'
    expect((await agent.signed(target, {}, stamp)).status).toBe(200)
    const snapshot = await understudy.snapshot()
    await understudy.reset()
    expect((await agent.signed(target, {}, stamp)).status).toBe(404)
    await understudy.restore(snapshot)
    expect((await agent.signed(target, {}, stamp)).status).toBe(401)
    expect((await agent.signed(target)).status).toBe(200)
  })

  it('restores faults with their counts, and overlays', async () => {
    const understudy = await startUnderstudy()
    const agent = await understudy.safebot.connect()
    understudy.faults.set([
      { server: 'safebot', tool: 'create_room', when: { nth: 2 }, do: { toolError: 'no disk' } },
    ])
    understudy.catalogue.set([{ server: 'safebot', tool: 'ack_task', do: { hide: true } }])
    await ok(agent, 'create_room')
    const snapshot = await understudy.snapshot()
    understudy.faults.clear()
    understudy.catalogue.clear()
    await understudy.restore(snapshot)
    expect((await call(agent, 'create_room')).isError).toBe(true)
    expect((await agent.listTools()).tools).toHaveLength(7)
  })

  it('makes a token valid again that has expired since', async () => {
    const understudy = await startUnderstudy()
    const account = await understudy.instanode.connect({ token: PAID })
    const { token } = await ok(account, 'get_api_token')
    const snapshot = await understudy.snapshot()
    await understudy.clock.advance(31 * DAY)
    const minted = await understudy.instanode.connect({ token: String(token) })
    expect((await call(minted, 'list_resources')).isError).toBe(true)
    await understudy.restore(snapshot)
    expect((await call(minted, 'list_resources')).isError).not.toBe(true)
  })

  it('does not change the journal, which records what has happened', async () => {
    const understudy = await startUnderstudy()
    const agent = await understudy.safebot.connect()
    const snapshot = await understudy.snapshot()
    await ok(agent, 'create_room')
    await understudy.restore(snapshot)
    expect(understudy.journal.entries({ tool: 'create_room' })).toHaveLength(1)
  })

  it('can be restored several times, whatever was done in between', async () => {
    const understudy = await startUnderstudy({ databases: new RecordingDatabases() })
    const account = await understudy.instanode.connect({ token: PAID })
    await createPostgres(account, 'kept')
    const snapshot = await understudy.snapshot()
    const was = structuredClone(dataOf(snapshot))
    for (let nth = 0; nth < 3; nth++) {
      const [kept] = await listed(account)
      await ok(account, 'delete_resource', { token: kept?.token })
      await createWebhook(account)
      await understudy.restore(snapshot)
      expect((await listed(account)).map(({ name }) => name)).toEqual(['kept'])
    }
    expect(structuredClone(dataOf(snapshot))).toEqual(was)
  })

  it('of a real clock restores its time, and the clock ticks on', async () => {
    const understudy = await startUnderstudy({ clock: 'real' })
    const snapshot = await understudy.snapshot()
    await understudy.clock.advance(DAY)
    await understudy.restore(snapshot)
    expect(understudy.clock.now() - snapshot.at).toBeLessThan(DAY)
    await understudy.clock.advance(1)
  })

  it('loads no database engine if no database was created', async () => {
    const databases = new RecordingDatabases()
    databases.copy = () => Promise.reject(new Error('asked for copies'))
    const understudy = await startUnderstudy({ databases })
    await understudy.restore(await understudy.snapshot())
    await understudy.reset()
  })
})

describe('live databases', () => {
  it('are restored with their content after a change, a drop or an expiry, and later ones are removed', async () => {
    const understudy = await startUnderstudy()
    const account = await understudy.instanode.connect({ token: PAID })
    const [changed, dropped] = [
      await createPostgres(account, 'changed'),
      await createPostgres(account, 'dropped'),
    ]
    for (const { connection_url } of [changed, dropped]) {
      const client = await connected(connection_url)
      await client.query('CREATE TABLE t AS SELECT 1 AS x')
      await client.end()
    }
    const snapshot = await understudy.snapshot()
    const session = await connected(changed.connection_url)
    await session.query('UPDATE t SET x = 2')
    await ok(account, 'delete_resource', { token: dropped.token })
    const made = await createPostgres(account, 'made since')
    await understudy.restore(snapshot)

    expect(await session.ended).toBe('57P01')
    expect(await codeOf(connected(made.connection_url))).toBe('28P01')
    for (const { connection_url } of [changed, dropped]) {
      const client = await connected(connection_url)
      expect(await client.value('SELECT x FROM t')).toBe(1)
      await client.end()
    }
    expect(await understudy.instanode.accounts()).toHaveLength(3)
    await understudy.reset()
    expect(await codeOf(connected(changed.connection_url))).toBe('28P01')
  })
})

describe('a request that waits during a reset or a restore', () => {
  it.each(['reset', 'restore'] as const)('is refused at once (%s); its session continues', async how => {
    const understudy = await startUnderstudy()
    const agent = await connectOverHttp(`${understudy.safebot.mcpUrl}?handle=agent`)
    const snapshot = await understudy.snapshot()
    const url = await createRoom(agent)
    const parked = call(agent, 'claim_task', { url, timeout_seconds: 60 })
    await understudy.clock.whenPending(1)
    if (how === 'reset') await understudy.reset()
    else await understudy.restore(snapshot)
    const answer = await parked
    expect([answer.isError, textOf(answer)]).toEqual([
      true,
      expect.stringContaining('put back to another state while the call was waiting'),
    ])
    expect(understudy.clock.pending).toBe(0)
    expect(await say(agent, await createRoom(agent), 'hello')).toBeGreaterThan(0)
  })

  it('continues to wait while a snapshot is made', async () => {
    const understudy = await startUnderstudy()
    const [boss, worker] = [await understudy.safebot.connect(), await understudy.safebot.connect()]
    const url = await createRoom(boss)
    const parked = claim(worker, url)
    await understudy.clock.whenPending(1)
    await understudy.snapshot()
    await say(boss, url, 'hello')
    expect((await parked)?.text).toBe('hello')
  })

  it('over the HTTP API is answered with 503, and an event stream ends', async () => {
    const understudy = await startUnderstudy()
    const { apiUrl } = understudy.safebot
    const stream = await HttpStream.open(`${apiUrl}/api/rooms/ROOM01/events`, 'GET', {})
    await stream.has('"ready"')
    const waiting = send(`${apiUrl}/api/rooms/ROOM01/wait`, { method: 'GET' })
    await understudy.clock.whenPending(1)
    await understudy.reset()
    expect(await waiting).toMatchObject({ status: 503, body: expect.stringContaining('put back') })
    await stream.ended
  })

  it.each([{ delayMs: 60_000 }, { hang: true }] as const)(
    'is refused if a fault holds it: %o',
    async held => {
      const understudy = await startUnderstudy()
      const agent = await understudy.safebot.connect()
      understudy.faults.set([{ server: 'safebot', tool: 'create_room', when: { always: true }, do: held }])
      const waiting = call(agent, 'create_room')
      await until(() => understudy.journal.entries({ tool: 'create_room' }).length > 0)
      await understudy.reset()
      expect(textOf(await waiting)).toContain('put back to another state')
      expect((await call(agent, 'create_room')).isError).not.toBe(true)
    },
  )
})

describe('bad input', () => {
  it.each([undefined, null, 'snapshot', {}, { instance: 'x', at: 0 }])(
    '%o is refused as a snapshot',
    async given => {
      const understudy = await startUnderstudy()
      const account = await understudy.instanode.connect({ token: PAID })
      await createWebhook(account)
      await expect(Reflect.apply(understudy.restore, understudy, [given])).rejects.toMatchObject({
        code: 'no_snapshot',
        hint: 'pass the value that snapshot() returned',
      })
      expect(await listed(account)).toHaveLength(1)
    },
  )

  it('a snapshot of another instance is refused with both names', async () => {
    const [one, other] = [await startUnderstudy({ seed: 'one' }), await startUnderstudy({ seed: 'other' })]
    await expect(one.restore(await other.snapshot())).rejects.toMatchObject({
      code: 'foreign_snapshot',
      message: expect.stringMatching(new RegExp(`${other.instance.name}.*${one.instance.name}`)),
    })
  })

  it('a snapshot that was discarded is refused, and keeps no further state', async () => {
    const databases = new RecordingDatabases()
    const understudy = await startUnderstudy({ databases })
    await createPostgres(await understudy.instanode.connect())
    const snapshot = await understudy.snapshot()
    expect(databases.copies.size).toBe(1)
    await understudy.discard(snapshot)
    expect(databases.copies.size).toBe(0)
    for (const work of [understudy.restore(snapshot), understudy.discard(snapshot)]) {
      await expect(work).rejects.toMatchObject({
        code: 'no_snapshot',
        reason: 'the snapshot has been discarded',
      })
    }
  })

  it('restore and reset are refused when the instance is closed', async () => {
    const understudy = await createUnderstudy({ clock: 'manual' })
    const snapshot = await understudy.snapshot()
    await understudy.close()
    for (const work of [understudy.restore(snapshot), understudy.reset(), understudy.snapshot()]) {
      await expect(work).rejects.toMatchObject({ code: 'instance_closed' })
    }
  })

  it('databases that cannot be restored leave everything unchanged', async () => {
    const databases = new RecordingDatabases()
    const understudy = await startUnderstudy({ databases })
    const account = await understudy.instanode.connect({ token: PAID })
    await createPostgres(account, 'one')
    const snapshot = await understudy.snapshot()
    await createPostgres(account, 'two')
    await understudy.clock.advance(1000)
    const { now } = understudy.clock.snapshot()
    databases.failing.putBack = new Error('the disk is full')
    await expect(understudy.restore(snapshot)).rejects.toThrow('the disk is full')
    expect((await listed(account)).map(({ name }) => name)).toEqual(['two', 'one'])
    expect([databases.live.size, understudy.clock.now()]).toEqual([2, now])
  })
})

describe('concurrent operations', () => {
  it('resets, restores, snapshots, advances and calls all end, and the instance works afterwards', async () => {
    const understudy = await startUnderstudy({ databases: new RecordingDatabases() })
    const account = await understudy.instanode.connect({ token: PAID })
    const agent = await understudy.safebot.connect({ handle: 'agent' })
    const url = await createRoom(agent)
    const snapshot = await understudy.snapshot()
    const round = () => [
      understudy.reset(),
      call(account, 'create_postgres', { name: 'x' }),
      call(agent, 'send_message', { url, text: 'x' }),
      understudy.restore(snapshot),
      understudy.clock.advance(61_000),
      call(agent, 'next_task', { url, timeout_seconds: 1 }),
      understudy.snapshot(),
      understudy.reset({ world: 'empty' }),
    ]
    await Promise.all([...round(), ...round(), ...round(), understudy.clock.advance(90_000)])
    await understudy.restore(snapshot)
    expect(await listed(account)).toEqual([])
    await say(agent, url, 'still here')
    expect(await transcript(agent, url)).toEqual(['still here'])
  })
})
