import { request as httpRequest } from 'node:http'
import { networkInterfaces } from 'node:os'
import { describe, expect, it, onTestFinished } from 'vitest'
import { Safebot } from '../../../../servers/safebot/index.js'
import { createInstance } from '../../../../servers/understudy/instance.js'
import { HttpStream } from '../../../support/clients/http-stream.js'
import { type RawAnswer, send } from '../../../support/clients/raw-http.js'
import { anyCipher, type SafebotAgent } from '../../../support/clients/safebot-agent.js'
import { startSafebot } from '../../../support/servers/safebot.js'
import { until } from '../../../support/until.js'

const ROOM = 'room-1'

/** How often each status came. */
function tally(answers: readonly RawAnswer[]): Record<number, number> {
  const counts: Record<number, number> = {}
  for (const { status } of answers) counts[status] = (counts[status] ?? 0) + 1
  return counts
}

function times<T>(count: number, make: (at: number) => T): T[] {
  return Array.from({ length: count }, (_, at) => make(at))
}

/** A message from an address, as a proxy on this machine passes it on. */
function sayFrom(agent: SafebotAgent, address: string, room = ROOM): Promise<RawAnswer> {
  return agent.post(`/api/rooms/${room}/messages`, anyCipher(), { 'x-forwarded-for': address })
}

describe('the rate of requests', () => {
  // fidelity safebot/http, differs: The service limits requests, waiting calls and streams. Here: Under
  // `documented` requests have no limit unless a library option sets one, because a test calls faster than
  // the limits allow.
  it('is not limited under the documented contract', async () => {
    const { stranger } = await startSafebot()
    const agent = stranger('alice')
    expect(tally(await Promise.all(times(700, () => agent.say(ROOM))))).toEqual({ 200: 700 })
  })

  // fidelity safebot/http, same: Only under `observed`, a room takes 300 messages at once and 100 a second.
  // More get 429 with `Retry-After`.
  it('of messages in one room is 300 at once and 100 a second under the observed contract', async () => {
    const { stranger, instance } = await startSafebot({ contract: 'observed' })
    const agent = stranger('alice')
    const answers = await Promise.all(times(450, () => agent.say(ROOM)))
    expect(tally(answers)).toEqual({ 200: 300, 429: 150 })
    const refused = answers.find(({ status }) => status === 429)
    expect([refused?.json, refused?.headers['retry-after']]).toEqual([{ error: 'rate limited' }, '1'])
    await instance.clock.advance(1000)
    expect(tally(await Promise.all(times(150, () => agent.say(ROOM))))).toEqual({ 200: 100, 429: 50 })
  })

  // fidelity safebot/http, same: Only under `observed`, an address sends at most 600 messages at once to all
  // rooms.
  it('over all rooms is 600 at once', async () => {
    const { stranger } = await startSafebot({ contract: 'observed' })
    const agent = stranger('alice')
    const answers = await Promise.all(times(1000, at => agent.say(`room-${at % 10}`)))
    expect(tally(answers)).toEqual({ 200: 600, 429: 400 })
  })

  // fidelity safebot/http, same: Limits count by the `X-Forwarded-For` of a proxy on the same machine.
  it('is counted by the nearest address that a proxy on this machine names', async () => {
    const { stranger } = await startSafebot({ contract: 'observed' })
    const agent = stranger('alice')
    await Promise.all(times(300, () => sayFrom(agent, '203.0.113.1')))
    expect((await sayFrom(agent, '203.0.113.1')).status).toBe(429)
    expect((await sayFrom(agent, '198.51.100.7, 203.0.113.1')).status).toBe(429)
    expect((await sayFrom(agent, '203.0.113.2')).status).toBe(200)
    expect((await agent.say(ROOM)).status).toBe(200)
  })

  const outside = Object.values(networkInterfaces())
    .flat()
    .find(address => address?.family === 'IPv4' && !address.internal)?.address

  // fidelity safebot/http, same: Limits ignore the `X-Forwarded-For` of other callers.
  it.skipIf(outside === undefined)('ignores X-Forwarded-For of a caller on another machine', async () => {
    const host = outside ?? ''
    const instance = await createInstance({ clock: 'manual', seed: 'test' })
    const { safebot, url } = await Safebot.listen(instance, { host }, { contract: 'observed' })
    onTestFinished(async () => {
      await safebot.close()
      await instance.close()
    })
    const say = (at: number) =>
      send(`${url}/api/rooms/${ROOM}/messages`, {
        body: anyCipher(),
        headers: { 'x-forwarded-for': `203.0.113.${at % 250}` },
      })
    expect(tally(await Promise.all(times(301, say)))).toEqual({ 200: 300, 429: 1 })
  })

  // fidelity safebot/http, same: The rate of a handle is checked before the signature.
  it('of signed requests is counted by handle, before the signature is checked', async () => {
    const { agent, stranger } = await startSafebot({ contract: 'observed' })
    await agent('alice')
    const forger = stranger('alice')
    const answers = await Promise.all(times(301, () => forger.claim(ROOM)))
    expect(tally(answers)).toEqual({ 401: 300, 429: 1 })
    expect(answers.find(({ status }) => status === 429)?.headers['retry-after']).toBe('5')
  })

  it('of registrations is also limited, and that of reads is not', async () => {
    const { stranger } = await startSafebot({ contract: 'observed' })
    const answers = await Promise.all(times(301, at => stranger(`agent-${at}`).register()))
    expect(tally(answers)).toEqual({ 201: 300, 429: 1 })
    const reader = stranger('reader')
    expect(tally(await Promise.all(times(700, () => reader.get('/api/health'))))).toEqual({ 200: 700 })
  })
})

describe('signed requests of one handle', () => {
  // fidelity safebot/http, same: Only under `observed`, a handle makes 312 signed requests in 120 s. The next
  // one gets 401.
  it('are 312 in 120 s under the observed contract, then 401', async () => {
    const { agent, instance } = await startSafebot({ contract: 'observed', limits: { requests: null } })
    const alice = await agent('alice')
    await alice.say(ROOM)
    const ack = () => alice.ack(ROOM, { claim_id: 'x', seq: 1 })
    expect(tally(await Promise.all(times(312, ack)))).toEqual({ 200: 312 })
    expect((await ack()).status).toBe(401)
    await instance.clock.advance(119_999)
    expect((await ack()).status).toBe(401)
    await instance.clock.advance(1)
    expect((await ack()).status).toBe(200)
  })

  it('allow as many signed messages', async () => {
    const { agent } = await startSafebot({ contract: 'observed', limits: { requests: null } })
    const alice = await agent('alice')
    const answers = await Promise.all(times(313, () => alice.saySigned(ROOM)))
    expect(tally(answers)).toEqual({ 200: 312, 401: 1 })
  })
})

/** A wait that nothing ends but its caller; `drop` is that. */
function park(base: string, room: string, address: string): { drop(): void } {
  const url = `${base}/api/rooms/${room}/wait?after=9999999999999&timeout=90`
  const request = httpRequest(url, { headers: { 'x-forwarded-for': address } })
  // That it will be cut off is what is meant.
  request.on('error', () => undefined)
  request.end()
  return { drop: () => request.destroy() }
}

describe('parked calls', () => {
  const claim = '?timeout=90'

  // fidelity safebot/http, same: Only under `observed`, 16 calls of one address may wait. The next one gets
  // 429 with `Retry-After`.
  it('are 16 from one address under the observed contract', async () => {
    const { agent, instance } = await startSafebot({ contract: 'observed' })
    const alice = await agent('alice')
    await alice.say(ROOM)
    const parked = times(16, () => park(alice.base, ROOM, '127.0.0.1'))
    await instance.clock.whenPending(16)
    const refused = await alice.claim(ROOM, claim)
    expect([refused.status, refused.json, refused.headers['retry-after']]).toEqual([
      429,
      { error: 'too many concurrent waiters from this IP' },
      '5',
    ])
    parked[0]?.drop()
    await until(() => instance.clock.pending === 15)
    const claiming = alice.claim(ROOM, claim)
    await instance.clock.whenPending(16)
    await instance.clock.advance(90_000)
    expect((await claiming).status).toBe(200)
  })

  // fidelity safebot/http, same: Only under `observed`, 256 calls may wait in one room.
  it('are 256 in one room, from all addresses', async () => {
    const { agent, instance } = await startSafebot({ contract: 'observed' })
    const alice = await agent('alice')
    await alice.say(ROOM)
    const parked = times(256, at => park(alice.base, ROOM, `203.0.113.${at % 250}`))
    await instance.clock.whenPending(256)
    expect(await alice.claim(ROOM, claim)).toMatchObject({
      status: 429,
      json: { error: 'too many concurrent waiters for this room' },
    })
    for (const { drop } of parked) drop()
  })

  // fidelity safebot/http, differs: The service limits the waiting calls of an address and of a room. Here:
  // Under `documented` there is no limit, because a test has many agents at one address.
  it('are not limited under the documented contract', async () => {
    const { agent, instance } = await startSafebot()
    const alice = await agent('alice')
    await alice.say(ROOM)
    const parked = times(300, () => park(alice.base, ROOM, '127.0.0.1'))
    await instance.clock.whenPending(300)
    for (const { drop } of parked) drop()
  })

  it('do not limit calls that find a message', async () => {
    const { agent } = await startSafebot({ limits: { waitersPerAddress: 0 } })
    const [alice, bob] = [await agent('alice'), await agent('bob')]
    await bob.say(ROOM)
    expect((await alice.claim(ROOM)).status).toBe(200)
    expect((await bob.claim(ROOM)).status).toBe(429)
  })
})

// fidelity safebot/http, same: Only under `observed`, an address may open 32 event streams. The next one gets
// 429 with `Retry-After`.
it('open event streams are 32 from one address under the observed contract', async () => {
  const { url } = await startSafebot({ contract: 'observed' })
  const open = () => HttpStream.open(`${url}/api/rooms/${ROOM}/events`, 'GET', {})
  const streams = await Promise.all(times(32, open))
  const refused = await send(`${url}/api/rooms/${ROOM}/events`, { method: 'GET' })
  expect([refused.status, refused.json, refused.headers['retry-after']]).toEqual([
    429,
    { error: 'too many concurrent streams from this IP' },
    '5',
  ])
  streams[0]?.drop()
  await streams[0]?.ended
  await until(() => lastSize(streams[1]?.text) === 31)
  const another = await open()
  expect(another.response.statusCode).toBe(200)
  for (const stream of [...streams, another]) stream.drop()
})

/** How many the last event says there are. */
function lastSize(events = ''): number {
  return Number(/.*"size":(\d+)/s.exec(events)?.[1])
}

describe('the capacity of the service', () => {
  // fidelity safebot/http, same: A message to one room too many gets 503. An event stream there gets 200 and
  // an error event.
  it('is limited in rooms, and idle rooms are evicted', async () => {
    const { stranger, instance } = await startSafebot({ contract: 'observed', limits: { rooms: 2 } })
    const agent = stranger('alice')
    expect(tally([await agent.say('room-1'), await agent.say('room-2')])).toEqual({ 200: 2 })
    const refused = await agent.say('room-3')
    expect([refused.status, refused.json]).toEqual([503, { error: 'room cap reached' }])
    expect(Number(refused.headers['retry-after'])).toBeGreaterThan(0)
    expect((await agent.say('room-1')).status).toBe(200)
    const stream = await HttpStream.open(`${agent.base}/api/rooms/room-3/events`, 'GET', {})
    await stream.ended
    expect([stream.response.statusCode, stream.text]).toEqual([
      200,
      'data: {"type":"error","error":"room cap reached"}\n\n',
    ])
    await instance.clock.advance(45_001)
    expect((await agent.say('room-3')).status).toBe(200)
  })

  // fidelity safebot/http, same: A registration of one identity too many gets 503.
  it('is limited in identities', async () => {
    const { agent, stranger } = await startSafebot({ limits: { identities: 1 } })
    await agent('alice')
    const refused = await stranger('bob').register()
    expect([refused.status, refused.json, refused.headers['retry-after']]).toEqual([
      503,
      { error: 'identity cap reached' },
      '3600',
    ])
  })

  // fidelity safebot/http, same: A message that exceeds the buffer of all rooms gets 503. Each message counts
  // 512 bytes more than its ciphertext.
  it('is limited in ciphertext, with 512 bytes more for each message', async () => {
    const { stranger, instance } = await startSafebot({ limits: { bufferBytes: 2 * (512 + 40) } })
    const agent = stranger('alice')
    const message = { ciphertext: anyCipher(30).ciphertext, nonce: anyCipher().nonce }
    expect(tally([await agent.say('room-1', message), await agent.say('room-2', message)])).toEqual({
      200: 2,
    })
    const refused = await agent.say('room-1', message)
    expect([refused.status, refused.json]).toEqual([
      503,
      { error: expect.stringMatching(/^global room buffer full/) },
    ])
    await instance.clock.advance(24 * 3_600_000 + 1)
    await agent.say('room-3', message)
    expect((await agent.say('room-3', message)).status).toBe(200)
  })
})
