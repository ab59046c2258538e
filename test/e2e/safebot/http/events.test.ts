import { describe, expect, it } from 'vitest'
import { HttpStream } from '../../../support/clients/http-stream.js'
import { anyCipher } from '../../../support/clients/safebot-agent.js'
import { startSafebot } from '../../../support/servers/safebot.js'
import { until } from '../../../support/until.js'

const ROOM = 'room-1'

function follow(base: string, query = ''): Promise<HttpStream> {
  return HttpStream.open(`${base}/api/rooms/${ROOM}/events${query}`, 'GET', {})
}

/** The events so far; each is one line of data and nothing else. */
function eventsOf({ text }: HttpStream): Record<string, unknown>[] {
  return text
    .split('\n\n')
    .slice(0, -1)
    .filter(frame => frame.startsWith('data: '))
    .map(frame => JSON.parse(frame.slice('data: '.length)))
}

const typesOf = (stream: HttpStream) => eventsOf(stream).map(({ type }) => type)

const presence = (stream: HttpStream) => eventsOf(stream).findLast(({ type }) => type === 'presence')

describe('the events of a room', () => {
  // fidelity safebot/http, same: An event stream sends the buffered messages, then `ready`, then `presence`,
  // then new messages.
  // fidelity safebot/http, same: The sender of a signed message is `@handle`, and `sender_verified` is true.
  it('are the buffered messages, then ready, then presence, then new messages', async () => {
    const { agent } = await startSafebot()
    const alice = await agent('alice')
    const first = await alice.say(ROOM)
    const second = await alice.saySigned(ROOM)
    const stream = await follow(alice.base, '?name=bob')
    await stream.has('"presence"')
    expect(stream.response.headers['content-type']).toBe('text/event-stream')
    expect(eventsOf(stream)).toEqual([
      {
        type: 'message',
        seq: Object(first.json).seq,
        id: Object(first.json).id,
        sender: 'alice',
        sender_verified: false,
        ciphertext: expect.any(String),
        nonce: expect.any(String),
        ts: expect.any(Number),
        _bytes: expect.any(Number),
      },
      expect.objectContaining({ type: 'message', sender: '@alice', sender_verified: true }),
      {
        type: 'ready',
        roomId: ROOM,
        size: 1,
        last_seq: Object(second.json).seq,
        participants: [],
      },
      {
        type: 'presence',
        size: 1,
        names: ['bob'],
        participants: [{ name: 'bob', last_seen_ms_ago: 0 }],
      },
    ])
    const third = await alice.say(ROOM)
    await stream.has(String(Object(third.json).id))
    expect(typesOf(stream)).toEqual(['message', 'message', 'ready', 'presence', 'message'])
    stream.drop()
  })

  // fidelity safebot/http, same: An event stream with `after` begins with the next message.
  it('begin after the message that a returning client names', async () => {
    const { agent } = await startSafebot()
    const alice = await agent('alice')
    const first = await alice.say(ROOM)
    const second = await alice.say(ROOM)
    const stream = await follow(alice.base, `?after=${Object(first.json).seq}`)
    await stream.has('"presence"')
    expect(eventsOf(stream).filter(({ type }) => type === 'message')).toEqual([
      expect.objectContaining({ seq: Object(second.json).seq }),
    ])
    stream.drop()
  })

  // fidelity safebot/http, same: An event stream opens its room and keeps it from being evicted.
  it('open the room, and keep it while a client follows', async () => {
    const { agent, instance } = await startSafebot()
    const alice = await agent('alice')
    const status = async () => (await alice.get(`/api/rooms/${ROOM}/status`)).json
    const stream = await follow(alice.base)
    await stream.has('"presence"')
    expect(await status()).toMatchObject({ exists: true, participants: 1, last_seq: 0 })
    await instance.clock.advance(3_600_000)
    expect(await status()).toMatchObject({ exists: true })
    stream.drop()
    await until(
      () => instance.journal.entries({ method: `GET /api/rooms/${ROOM}/events` })[0]?.outcome === 'ok',
    )
    await instance.clock.advance(45_001)
    expect(await status()).toEqual({ exists: false, roomId: ROOM })
  })

  // fidelity safebot/http, same: `presence` is sent when a participant arrives or leaves.
  // fidelity safebot/http, absent: An event tells of a participant's new name. Here: No event does, because
  // only WebSocket clients rename themselves.
  it('report each participant that arrives or leaves', async () => {
    const { agent } = await startSafebot()
    const alice = await agent('alice')
    const key = encodeURIComponent(alice.boxPub)
    const first = await follow(alice.base, `?name=alice&box_pub=${key}`)
    await first.has('"presence"')
    const second = await follow(alice.base, '?name=b%20b')
    await until(() => presence(first)?.size === 2)
    expect(presence(first)).toEqual({
      type: 'presence',
      size: 2,
      names: ['alice'],
      participants: [{ name: 'alice', box_pub: alice.boxPub, last_seen_ms_ago: 0 }],
    })
    second.drop()
    await until(() => presence(first)?.size === 1)
    first.drop()
  })

  // fidelity safebot/http, same: `ready` lists the participants from before the newcomer. Its `size` counts
  // the newcomer.
  it('include the earlier participants for a newcomer, and count the newcomer', async () => {
    const { agent } = await startSafebot()
    const alice = await agent('alice')
    const first = await follow(alice.base, '?name=alice')
    await first.has('"presence"')
    const second = await follow(alice.base, '?name=bob')
    await second.has('"presence"')
    const [ready] = eventsOf(second)
    expect(ready).toEqual({
      type: 'ready',
      roomId: ROOM,
      size: 2,
      last_seq: 0,
      participants: [{ name: 'alice', last_seen_ms_ago: 0 }],
    })
    expect(presence(second)).toMatchObject({ size: 2, names: ['alice', 'bob'] })
    for (const open of [first, second]) open.drop()
  })

  // fidelity safebot/http, same: The name of a participant may have letters up to U+FFFF. Longer names are
  // cut to 64 characters.
  it.each([
    ['Алиса', 'Алиса'],
    ['日本', '日本'],
    ['x'.repeat(65), 'x'.repeat(64)],
  ])('show a participant named %.10s', async (name, shown) => {
    const { agent } = await startSafebot()
    const alice = await agent('alice')
    const stream = await follow(alice.base, `?name=${encodeURIComponent(name)}`)
    await stream.has('"presence"')
    expect(presence(stream)).toMatchObject({ names: [shown] })
    await alice.post(`/api/rooms/${ROOM}/listening`, { name: `b${name}` })
    await stream.has(`"b${shown.slice(0, 63)}"`)
    stream.drop()
  })

  // fidelity safebot/http, same: An agent that posts `listening` is shown for 60 s and not counted.
  it('show a listening agent for 60 s, and do not count it', async () => {
    const { agent, instance } = await startSafebot()
    const alice = await agent('alice')
    const stream = await follow(alice.base)
    await stream.has('"presence"')
    await alice.post(`/api/rooms/${ROOM}/listening`, { name: 'carol', box_pub: alice.boxPub })
    await stream.has('carol')
    expect(presence(stream)).toMatchObject({
      size: 1,
      names: [],
      participants: [{ name: 'carol', box_pub: alice.boxPub, last_seen_ms_ago: 0 }],
    })
    await instance.clock.advance(60_000)
    const later = await follow(alice.base)
    await later.has('"ready"')
    expect(eventsOf(later)[0]).toMatchObject({ participants: [{ name: 'carol', last_seen_ms_ago: 60_000 }] })
    await instance.clock.advance(1)
    const latest = await follow(alice.base)
    await latest.has('"ready"')
    expect(eventsOf(latest)[0]).toMatchObject({ participants: [] })
    for (const open of [stream, later, latest]) open.drop()
  })

  // fidelity safebot/http, same: A `locked` event is sent when a signed message locks the room.
  it('report the lock of the room', async () => {
    const { agent } = await startSafebot()
    const alice = await agent('alice')
    const stream = await follow(alice.base)
    await stream.has('"presence"')
    await alice.saySigned(ROOM, anyCipher(), { signed_only: true })
    await stream.has('"locked"')
    expect(typesOf(stream)).toContain('message')
    stream.drop()
  })

  it('report the lock once to a reader that stops reading for a while', async () => {
    const { agent } = await startSafebot()
    const alice = await agent('alice')
    const stream = await follow(alice.base)
    await stream.has('"presence"')
    stream.response.pause()
    const cipher = anyCipher(90_000)
    for (let sent = 0; sent < 100; sent++) await alice.say(ROOM, cipher)
    await alice.saySigned(ROOM, anyCipher(), { signed_only: true })
    stream.response.resume()
    await stream.has('"locked"')
    await alice.saySigned(ROOM, anyCipher())
    await until(() => stream.text.split('"type":"message"').length === 103 && stream.text.endsWith('\n\n'))
    expect(typesOf(stream).filter(type => type === 'locked')).toHaveLength(1)
    stream.drop()
  })

  it('reach a reader that stops reading for a while without a loss', async () => {
    const { agent } = await startSafebot()
    const alice = await agent('alice')
    const stream = await follow(alice.base)
    await stream.has('"presence"')
    stream.response.pause()
    const cipher = anyCipher(90_000)
    for (let sent = 0; sent < 100; sent++) await alice.say(ROOM, cipher)
    stream.response.resume()
    await until(() => stream.text.split('"type":"message"').length === 101 && stream.text.endsWith('\n\n'))
    const seqs = eventsOf(stream).flatMap(({ type, seq }) => (type === 'message' ? [Number(seq)] : []))
    expect(seqs).toEqual([...seqs].sort((a, b) => a - b))
    stream.drop()
  })

  it('end when the service stops', async () => {
    const { agent, safebot } = await startSafebot()
    const alice = await agent('alice')
    const stream = await follow(alice.base)
    await stream.has('"presence"')
    await safebot.close()
    await stream.ended
  })
})
