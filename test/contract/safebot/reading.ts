import { expect } from 'vitest'
import { anyCipher } from '../../support/clients/safebot-agent.js'
import { type Case, refused, type World } from './case.js'

const cipher = anyCipher(40)

/** As every reader of the room sees it. */
const message = {
  seq: expect.any(Number),
  id: expect.any(String),
  sender: 'alice',
  sender_verified: false,
  ...cipher,
  ts: expect.any(Number),
  _bytes: cipher.ciphertext.length + 512,
}

const opened = async ({ alice, room }: World, messages = 1) => {
  for (let sent = 0; sent < messages; sent++) await alice.say(room, cipher)
}

const read = (request: string, path: string, body: unknown, messages = 1): Case => ({
  request,
  status: 200,
  body,
  async send(world) {
    await opened(world, messages)
    const status = await world.alice.get(`/api/rooms/${world.room}/status`)
    const last = Number(Object(status.json).last_seq)
    return world.alice.get(`/api/rooms/${world.room}${path.replace('LAST', String(last))}`)
  },
})

/** Of a room with three messages. */
const transcript = (request: string, query: string, count: number) =>
  read(
    request,
    `/transcript${query}`,
    {
      messages: Array.from({ length: count }, () => message),
      last_seq: expect.any(Number),
      count,
      exists: true,
    },
    3,
  )

const nowhere = { messages: [], last_seq: 0, exists: false }

export const reading: Case[] = [
  {
    request: 'the status of a missing room',
    send: ({ alice, room }) => alice.get(`/api/rooms/${room}/status`),
    status: 200,
    body: { exists: false, roomId: 'room-1' },
  },
  // fidelity safebot/http, same: The status of a room has eight fields, `signed_only` among them.
  read('the status of a room', '/status', {
    exists: true,
    roomId: 'room-1',
    participants: 0,
    recent_count: 1,
    last_seq: expect.any(Number),
    age_seconds: 0,
    idle_seconds: 0,
    signed_only: false,
  }),
  // fidelity safebot/http, same: The transcript of a missing room is empty, with `exists: false`.
  {
    request: 'the transcript of a missing room',
    send: ({ alice, room }) => alice.get(`/api/rooms/${room}/transcript`),
    status: 200,
    body: nowhere,
  },
  transcript('a transcript', '', 3),
  transcript('a transcript from the last but one on', '?after=LAST', 0),
  transcript('a transcript of one message', '?limit=1', 1),
  transcript('a transcript of limit 0', '?limit=0', 3),
  transcript('a transcript of limit -4', '?limit=-4', 1),
  transcript('a transcript of limit 501', '?limit=501', 3),
  // fidelity safebot/http, same: An unreadable `limit` or `after` becomes the default.
  transcript('a transcript with unreadable numbers', '?limit=x&after=y', 3),
  // fidelity safebot/http, same: A wait in a missing room answers at once.
  {
    request: 'a wait in a missing room',
    send: ({ alice, room }) => alice.get(`/api/rooms/${room}/wait?timeout=90`),
    status: 200,
    body: nowhere,
  },
  // fidelity safebot/http, same: Readers see `_bytes`, the length of the ciphertext plus 512.
  read('a wait in a room with messages', '/wait', { messages: [message], last_seq: expect.any(Number) }),
  ...[
    ['timeout=1', 1],
    ['timeout=0', 30],
    ['timeout=-1', 1],
    ['timeout=900', 90],
    ['timeout=1.9', 1],
    ['timeout=x', 30],
    ['', 30],
  ].map(
    ([query, seconds]): Case => ({
      // fidelity safebot/http, same: A wait lasts 1 to 90 s. 0 and unreadable values become 30 s.
      request: `a wait without a message, with "${query}"`,
      status: 200,
      body: { messages: [], last_seq: expect.any(Number) },
      async send({ alice, room, instance: { clock } }) {
        await alice.say(room)
        const { json } = await alice.get(`/api/rooms/${room}/status`)
        let ended = false
        const waiting = alice.get(`/api/rooms/${room}/wait?after=${Object(json).last_seq}&${query}`)
        waiting.then(() => (ended = true)).catch(() => undefined)
        await clock.whenPending(1)
        await clock.advance(Number(seconds) * 1000 - 1)
        expect(ended).toBe(false)
        await clock.advance(1)
        return waiting
      },
    }),
  ),
  // fidelity safebot/http, same: A waiting request returns one message, even if it asked for messages beyond
  // the end of the room.
  {
    request: 'a wait that is woken, from a position beyond the room',
    status: 200,
    body: { messages: [{ type: 'message', ...message }], last_seq: expect.any(Number) },
    async send({ alice, room, instance: { clock } }) {
      await alice.say(room)
      const waiting = alice.get(`/api/rooms/${room}/wait?after=9999999999999&timeout=30`)
      await clock.whenPending(1)
      await alice.say(room, cipher)
      return waiting
    },
  },
  ...['/status', '/transcript', '/wait'].flatMap(path =>
    ['abc', 'x'.repeat(65), 'ro%2Fom'].map(room =>
      refused(`${path} of ${room}`, 400, 'bad roomId', ({ alice }) => alice.get(`/api/rooms/${room}${path}`)),
    ),
  ),
  // fidelity safebot/http, same: An event stream with a bad room id gets 400 without a body.
  {
    request: 'the events of a bad room',
    send: ({ alice }) => alice.get('/api/rooms/abc/events'),
    status: 400,
    body: undefined,
  },
  // fidelity safebot/http, same: `listening` in a missing room gets 404, whatever the name.
  {
    request: 'listening in a missing room, with any name',
    send: ({ alice, room }) => alice.post(`/api/rooms/${room}/listening`, { name: 'a b' }),
    status: 404,
    body: { error: 'no such room' },
  },
  ...['a b', '', 'a/b', `${'x'.repeat(63)} `, '\u009f', null, 7].map(name =>
    // fidelity safebot/http, same: `listening` with a bad name gets 400.
    refused(`listening as ${JSON.stringify(name)}`, 400, 'bad name', async world => {
      await opened(world)
      return world.alice.post(`/api/rooms/${world.room}/listening`, { name })
    }),
  ),
  ...[
    'alice',
    'a.b-c_d@e',
    'x'.repeat(64),
    'x'.repeat(65),
    'naïve…',
    'Алиса',
    '日本',
    `${'x'.repeat(64)} `,
  ].map(
    (name): Case => ({
      request: `listening as ${name}`,
      status: 200,
      body: { ok: true },
      async send(world) {
        await opened(world)
        return world.alice.post(`/api/rooms/${world.room}/listening`, { name, box_pub: world.alice.boxPub })
      },
    }),
  ),
  refused('listening in a bad room', 400, 'bad roomId', ({ alice }) =>
    alice.post('/api/rooms/abc/listening', { name: 'alice' }),
  ),
  // fidelity safebot/http, same: `/api/health` has five security headers, a weak `ETag` and no CORS header.
  {
    request: 'health',
    send: ({ alice }) => alice.get('/api/health'),
    status: 200,
    body: { ok: true, rooms: 0, ts: expect.any(Number) },
    headers: {
      'x-content-type-options': 'nosniff',
      'referrer-policy': 'no-referrer',
      'x-frame-options': 'DENY',
      'permissions-policy': 'clipboard-read=(self), clipboard-write=(self)',
      'content-security-policy': expect.stringContaining("connect-src 'self' ws: wss:"),
      etag: expect.stringMatching(/^W\/"[0-9a-f]+-[A-Za-z0-9+/]{27}"$/),
      'content-type': 'application/json; charset=utf-8',
      'access-control-allow-origin': undefined,
    },
  },
  // fidelity safebot/http, absent: `/api/status` has hashes of the service's sources. Here: It has none,
  // because the stand-in does not have those sources.
  {
    request: 'the service status',
    send: ({ alice }) => alice.get('/api/status'),
    status: 200,
    body: {
      ok: true,
      started_at: expect.any(Number),
      uptime_seconds: 0,
      rooms: 0,
      node_version: process.version,
    },
  },
]
