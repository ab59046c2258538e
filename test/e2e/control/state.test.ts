import { describe, expect, it } from 'vitest'
import { startControlled } from '../../support/clients/control.js'
import { send } from '../../support/clients/raw-http.js'
import { createPostgres, createWebhook, HOUR, PAID } from '../../support/servers/instanode.js'
import { call, ok } from '../../support/servers/understudy.js'

describe('the state of Instanode', () => {
  it('has resources, with limits, size, connections and remaining time', async () => {
    const { control, u, databases } = await startControlled()
    const { token, id } = await createPostgres(await u.instanode.connect(), 'scratch')
    databases.sizes.set(`db_${token.replaceAll('-', '').slice(0, 12)}`, 4096)
    await control.clock.advance(HOUR)
    const { instanode } = await control.state()
    expect(instanode?.resources).toEqual([
      {
        id,
        token: `${token.slice(0, 8)}-[masked]`,
        ...{ type: 'postgres', name: 'scratch', tier: 'anonymous', status: 'active', owner: null },
        subnet: '127.0.0.0/24',
        url: expect.stringMatching(
          /^postgres:\/\/usr_[0-9a-f]{12}:\[masked\]@127\.0\.0\.1:5432\/db_[0-9a-f]{12}$/,
        ),
        createdAt: '2026-01-01T00:00:00.000Z',
        expiresAt: '2026-01-02T00:00:00.000Z',
        expiresInMs: 23 * HOUR,
        limits: { storageMb: 10, connections: 2 },
        database: {
          name: expect.any(String),
          sizeBytes: 4096,
          usedBytes: 4096,
          connections: 0,
          state: 'awake',
        },
        deliveries: null,
      },
    ])
    await control.clock.advance(23 * HOUR)
    expect((await control.state()).instanode?.resources).toEqual([])
  })

  it('has receivers, with their latest deliveries', async () => {
    const { control, u } = await startControlled()
    const { receive_url, token } = await createWebhook(await u.instanode.connect())
    for (const body of ['first', 'second', 'third']) {
      await send(`${receive_url}?by=${body}`, { body, headers: { authorization: 'Bearer secret' } })
    }
    const [shown] = (await control.state({ latest: 2 })).instanode?.resources ?? []
    expect(shown).toMatchObject({ limits: { requestsStored: 100 }, database: null, deliveries: { kept: 3 } })
    expect(shown?.deliveries?.latest.map(({ body, query, bodyBytes }) => [body, query, bodyBytes])).toEqual([
      ['third', 'by=third', 5],
      ['second', 'by=second', 6],
    ])
    expect(shown?.deliveries?.latest[0]?.headers.authorization).toBe('Bearer [masked]')
    expect(JSON.stringify(shown)).not.toContain(token)
  })

  it('shows secrets only on request', async () => {
    const { control, u, ask } = await startControlled()
    const { token, connection_url } = await createPostgres(await u.instanode.connect())
    const masked = (await ask('GET', '/state')).body
    for (const secret of [token, new URL(connection_url).password, PAID]) expect(masked).not.toContain(secret)
    const { instanode } = await control.state({ secrets: true })
    expect(instanode?.resources[0]).toMatchObject({ token, url: connection_url })
    expect(instanode?.accounts.map(account => account.token)).toContain(PAID)
  })

  it('can be read while a database does not answer', async () => {
    const { control, u, databases } = await startControlled()
    await createPostgres(await u.instanode.connect())
    databases.stats = () => Promise.reject(new Error('the engine is down'))
    expect((await control.state()).instanode?.resources).toMatchObject([{ status: 'active', database: null }])
  })
})

describe('the state of Safebot', () => {
  it('has rooms: messages, cursors, leases with remaining time, and parked calls', async () => {
    const { control, u } = await startControlled()
    const asker = await u.safebot.connect({ handle: 'asker' })
    const worker = await u.safebot.connect({ handle: 'worker' })
    const { url } = await ok(asker, 'create_room')
    for (const text of ['one', 'two']) await ok(asker, 'send_message', { url, text })
    const { claim_id, task } = await ok(worker, 'claim_task', { url })
    const seq = Number(Object(task).seq)
    await control.clock.advance(20_000)
    const parked = call(await u.safebot.connect({ handle: 'idle' }), 'wait_for_messages', {
      url,
      after_seq: seq + 1,
      timeout_seconds: 30,
    })
    await u.clock.whenPending(1)
    const { safebot } = await control.state({ latest: 1 })
    expect(safebot?.rooms).toMatchObject([
      {
        ...{ lastSeq: seq + 1, buffered: 2, waiting: 1, signedOnly: false },
        messages: [{ seq: seq + 1, sender: 'asker', ciphertext: expect.any(String) }],
        consumers: [
          {
            handle: 'worker',
            cursor: seq - 1,
            lease: { claimId: claim_id, seq, remainingMs: 40_000 },
          },
        ],
      },
    ])
    expect(safebot?.rooms[0]?.participants.map(({ name }) => name)).toEqual(
      expect.arrayContaining(['asker', 'worker', 'idle']),
    )
    expect(JSON.stringify(safebot)).not.toContain('"two"')
    expect(safebot?.calls).toMatchObject([{ caller: 'idle', tool: 'wait_for_messages', forMs: 0 }])
    await control.clock.advance(40_001)
    await parked
    const [room] = (await control.state()).safebot?.rooms ?? []
    expect(room?.consumers).toMatchObject([{ handle: 'worker', lease: null }])
    expect(room?.messages).toHaveLength(2)
  })

  it('has the texts of messages on request, if this process knows the key', async () => {
    const { control, u } = await startControlled()
    const agent = await u.safebot.connect({ handle: 'asker' })
    const { url, room_id } = await ok(agent, 'create_room')
    await ok(agent, 'send_message', { url, text: 'for the two of us' })
    const sealed = { ciphertext: 'c2VhbGVk', nonce: 'A'.repeat(32), sender: 'curl' }
    for (const room of [room_id, 'elsewhere']) {
      await send(`${u.safebot.apiUrl}/api/rooms/${room}/messages`, { body: sealed })
    }
    const textsOf = async (secrets: boolean) =>
      Object.fromEntries(
        ((await control.state({ secrets })).safebot?.rooms ?? []).map(room => [
          room.id,
          [room.keyKnown, ...room.messages.map(({ text }) => text)],
        ]),
      )
    expect(await textsOf(true)).toMatchObject({
      [String(room_id)]: [true, 'for the two of us', null],
      elsewhere: [false, null],
    })
    expect(await textsOf(false)).toMatchObject({
      [String(room_id)]: [true, undefined, undefined],
      elsewhere: [false, undefined],
    })
  })

  it('has the texts of the world’s own rooms', async () => {
    const rooms = [{ id: 'lobby', messages: [{ sender: 'host', text: 'welcome' }] }]
    const { control } = await startControlled({ world: { about: 'A room.', rooms } })
    const [room] = (await control.state({ secrets: true })).safebot?.rooms ?? []
    expect([room?.keyKnown, room?.messages.map(({ text }) => text)]).toEqual([true, ['welcome']])
  })

  it('does not keep a room alive when it is read', async () => {
    const { control, u } = await startControlled({ contract: 'observed' })
    const agent = await u.safebot.connect()
    const { url } = await ok(agent, 'create_room')
    await ok(agent, 'send_message', { url, text: 'soon gone' })
    await agent.close()
    for (let seconds = 0; seconds < 50; seconds += 10) {
      await control.state()
      await control.clock.advance(10_000)
    }
    expect((await control.state()).safebot?.rooms).toEqual([])
  })
})
