import { describe, expect, it } from 'vitest'
import { CONTRACT_NAMES } from '../../../../shared/contract.js'
import { HttpStream } from '../../../support/clients/http-stream.js'
import { anyCipher } from '../../../support/clients/safebot-agent.js'
import { startSafebot } from '../../../support/servers/safebot.js'

const ROOM = 'room-1'

describe.each(CONTRACT_NAMES)('Safebot’s answers, as %s,', contract => {
  // fidelity safebot/http, same: Readers and claims do not show a `ttl_ms` of 0.
  it('do not show a ttl_ms of 0', async () => {
    const { agent, instance } = await startSafebot({ contract })
    const [alice, bob] = [await agent('alice'), await agent('bob')]
    const seqOf = async () => Object((await bob.say(ROOM, anyCipher(), { ttl_ms: 0 })).json).seq
    const after = await seqOf()
    const stream = await HttpStream.open(`${alice.base}/api/rooms/${ROOM}/events`, 'GET', {})
    await stream.has('"presence"')
    const parked = alice.get(`/api/rooms/${ROOM}/wait?after=${after}`)
    await instance.clock.whenPending(1)
    await seqOf()
    const answers = [
      await parked,
      await alice.get(`/api/rooms/${ROOM}/transcript`),
      await alice.get(`/api/rooms/${ROOM}/wait`),
      await alice.claim(ROOM),
    ].map(({ body }) => body)
    for (const text of [...answers, stream.text]) {
      expect(text).toContain('"ciphertext"')
      expect(text).not.toContain('ttl_ms')
    }
    stream.drop()
  })

  // fidelity safebot/tasks, same: A fresh handle whose claim waits in an empty room gets cursor 0. Its next
  // claim gets the seq before the oldest message.
  it('report cursor 0 to a fresh handle whose claim waited in an empty room', async () => {
    const { agent, stranger, instance } = await startSafebot({ contract })
    const [alice, bob] = [await agent('alice'), await agent('bob')]
    // A refused signature opens the room, and leaves it empty.
    await stranger('nobody').saySigned(ROOM)
    const claiming = alice.claim(ROOM, '?timeout=30')
    await instance.clock.whenPending(1)
    const { seq } = Object((await bob.say(ROOM)).json)
    expect((await claiming).json).toMatchObject({ message: { seq }, cursor: 0, last_seq: seq })
    expect((await alice.claim(ROOM)).json).toMatchObject({ message: { seq }, cursor: seq - 1 })
  })

  // fidelity safebot/tasks, same: A room that opens in 1970 begins at seq 1. Readers ask for messages after
  // 0, and would not see a message 0.
  it('deliver the first message of a room that was opened in 1970', async () => {
    const { agent } = await startSafebot({ contract, clock: 'manual@1970-01-01T00:00:00Z' })
    const [alice, bob] = [await agent('alice'), await agent('bob')]
    expect((await bob.say(ROOM)).json).toMatchObject({ seq: 1 })
    expect((await alice.get(`/api/rooms/${ROOM}/transcript`)).json).toMatchObject({ count: 1, last_seq: 1 })
    expect((await alice.claim(ROOM)).json).toMatchObject({ message: { seq: 1 }, cursor: 0 })
    expect((await bob.say(ROOM)).json).toMatchObject({ seq: 2 })
  })

  // fidelity safebot/http, same: Event streams have the same five security headers.
  // fidelity safebot/http, same: `/api/status`, `/api/openapi.json` and event streams each have their own
  // `Cache-Control`. `/api/health` has none.
  it('have the headers of the service, on event streams too', async () => {
    const { agent } = await startSafebot({ contract })
    const alice = await agent('alice')
    const common = {
      'x-content-type-options': 'nosniff',
      'referrer-policy': 'no-referrer',
      'x-frame-options': 'DENY',
      'permissions-policy': 'clipboard-read=(self), clipboard-write=(self)',
      'content-security-policy':
        "default-src 'self'; script-src 'self' 'unsafe-inline'; " +
        "style-src 'self' 'unsafe-inline' https://fonts.googleapis.com; font-src 'self' https://fonts.gstatic.com; " +
        "img-src 'self' data:; connect-src 'self' ws: wss:; frame-ancestors 'none'",
    }
    const stream = await HttpStream.open(`${alice.base}/api/rooms/${ROOM}/events`, 'GET', {})
    expect(stream.response.headers).toMatchObject({ ...common, 'cache-control': 'no-cache, no-transform' })
    stream.drop()
    const headersOf = async (path: string) => (await alice.get(path)).headers
    expect(await headersOf('/api/status')).toMatchObject({ ...common, 'cache-control': 'public, max-age=30' })
    expect(await headersOf('/api/openapi.json')).toMatchObject({
      ...common,
      'cache-control': 'public, max-age=60',
    })
    const health = await headersOf('/api/health')
    expect(health).toMatchObject(common)
    expect(health).not.toHaveProperty('cache-control')
  })
})
