import { expect } from 'vitest'
import type { RawAnswer } from '../../support/clients/raw-http.js'
import { anyCipher, freshNonce } from '../../support/clients/safebot-agent.js'
import { type Case, LAX_SIGNATURES, refused, type World } from './case.js'

const UNSIGNED = 'bad or missing signature'
const STALE = 'stale or unknown claim'

const fieldsOf = ({ json }: RawAnswer): Record<string, unknown> => ({ ...Object(json) })
const seqOf = (claimed: RawAnswer) => Number(Object(fieldsOf(claimed).message).seq)

/** Bob says something that Alice is to do. */
const tasked = async ({ bob, room }: World, more: object = {}) => {
  await bob.say(room, anyCipher(), more)
}

const claimPath = ({ room }: World) => `/api/rooms/${room}/claim`

/** A claim by Alice of a task that is there, signed as `sign` says. */
const claimSigned = (request: string, sign: (world: World, target: string) => Record<string, string>): Case =>
  refused(request, 401, UNSIGNED, async world => {
    await tasked(world)
    return world.alice.post(claimPath(world), { handle: 'alice' }, sign(world, claimPath(world)))
  })

/** A claim by Alice of a task that is there, its good signature and time written by `write`. */
const claimWritten = (request: string, write: (sig: string, ts: number) => string): Case => ({
  request,
  status: 200,
  body: expect.objectContaining({ claim_id: expect.any(String) }),
  async send(world) {
    await tasked(world)
    const { alice } = world
    const target = claimPath(world)
    const [ts, nonce] = [alice.now(), freshNonce()]
    const sig = alice.sign(`POST ${target} ${ts} ${nonce}`)
    return alice.post(target, { handle: 'alice' }, { authorization: `SafeBot n=${nonce},${write(sig, ts)}` })
  },
})

const acked = (advanced: boolean) => ({ ok: true, advanced, cursor: expect.any(Number) })

/** An acknowledgement of what Alice has claimed, `more` put over it. */
const ack = (request: string, status: number, body: unknown, more: (claimed: RawAnswer) => object): Case => ({
  request,
  ...{ status, body },
  async send(world) {
    await tasked(world)
    const claimed = await world.alice.claim(world.room)
    const { claim_id } = fieldsOf(claimed)
    return world.alice.ack(world.room, { claim_id, seq: seqOf(claimed), ...more(claimed) })
  },
})

const stale = { error: STALE, cursor: expect.any(Number) }

export const tasks: Case[] = [
  // fidelity safebot/http, same: A claimed message has no `_bytes`.
  {
    request: 'a claim',
    status: 200,
    async send(world) {
      await tasked(world, { reply_to: 'abcdefgh', ttl_ms: 30_000 })
      return world.alice.claim(world.room)
    },
    body: {
      ok: true,
      claim_id: expect.stringMatching(/^[0-9a-f-]{36}$/),
      message: {
        seq: expect.any(Number),
        id: expect.any(String),
        sender: 'bob',
        ciphertext: expect.any(String),
        nonce: expect.any(String),
        ts: expect.any(Number),
        sender_verified: false,
        ttl_ms: 30_000,
        reply_to: 'abcdefgh',
      },
      cursor: expect.any(Number),
      last_seq: expect.any(Number),
    },
  },
  // fidelity safebot/http, same: A claim in a missing room answers at once.
  {
    request: 'a claim in a missing room',
    send: ({ alice, room }) => alice.claim(room, '?timeout=90'),
    status: 200,
    body: { ok: true, empty: true, last_seq: 0, cursor: 0, exists: false },
  },
  {
    request: 'a claim in vain',
    status: 200,
    body: { ok: true, empty: true, last_seq: expect.any(Number), cursor: expect.any(Number) },
    async send({ alice, room, instance: { clock } }) {
      await alice.say(room)
      const claiming = alice.claim(room, '?timeout=5')
      await clock.whenPending(1)
      await clock.advance(5000)
      return claiming
    },
  },
  // fidelity safebot/tasks, same: A claim skips messages whose sender is the handle, `@handle` or a label in
  // `exclude_senders`.
  {
    request: 'a claim that skips excluded senders and its own messages',
    status: 200,
    body: expect.objectContaining({ message: expect.objectContaining({ sender: 'carol' }) }),
    async send(world) {
      const { alice, bob, carol, room } = world
      for (const sender of ['alice', '@alice', 'worker', 'bob']) await bob.say(room, anyCipher(), { sender })
      await carol.say(room)
      return alice.claim(room, '', { exclude_senders: ['worker', 'bob', 7, '', 'x'.repeat(65)] })
    },
  },
  {
    request: 'a claim under the handle in capitals',
    status: 200,
    body: expect.objectContaining({ claim_id: expect.any(String) }),
    async send(world) {
      await tasked(world)
      return world.alice.signed(claimPath(world), { handle: 'ALICE' })
    },
  },
  // fidelity safebot/http, same: A signed request has the scheme `SafeBot` and its parts in any order. The
  // signature covers method, target, time and nonce, and not the body.
  {
    request: 'a claim signed 60 s off, with its parts in another order',
    status: 200,
    body: expect.objectContaining({ claim_id: expect.any(String) }),
    async send(world) {
      await tasked(world)
      const { alice } = world
      const target = claimPath(world)
      const ts = alice.now() - 60_000
      const nonce = freshNonce()
      const sig = alice.sign(`POST ${target} ${ts} ${nonce}`)
      const authorization = `SafeBot sig=${sig} , ts=${ts},  n=${nonce}`
      return alice.post(target, { handle: 'alice' }, { authorization })
    },
  },
  ...LAX_SIGNATURES.map(([how, write]) =>
    // fidelity safebot/http, same: The signature of a request may lack its padding, have characters after it,
    // or use the URL-safe alphabet.
    claimWritten(`a claim whose signature is written ${how}`, (sig, ts) => `sig=${write(sig)},ts=${ts}`),
  ),
  // fidelity safebot/http, same: The time of a signed request may have letters after its digits.
  claimWritten('a claim signed at a time with letters behind it', (sig, ts) => `sig=${sig},ts=${ts}junk`),
  {
    request: 'a claim signed with the machine’s time',
    status: 200,
    body: expect.objectContaining({ claim_id: expect.any(String) }),
    async send(world) {
      await tasked(world)
      return world.alice.signed(claimPath(world), {}, { ts: world.instance.machine.now() })
    },
  },
  ...['abc', 'x'.repeat(65)].flatMap(room =>
    ['claim', 'ack'].map(path =>
      // fidelity safebot/http, same: A claim or an ack with a bad room id gets 400 before its handle and
      // signature are checked.
      refused(`${path} in ${room}, unsigned`, 400, 'bad roomId', ({ alice }) =>
        alice.post(`/api/rooms/${room}/${path}`, {}),
      ),
    ),
  ),
  ...[undefined, '', 'no blanks', 'x'.repeat(33), 7, null].flatMap(handle =>
    ['claim', 'ack'].map(path =>
      // fidelity safebot/http, same: A claim or an ack with a bad handle gets 400 before its signature is
      // checked.
      refused(`${path} as ${JSON.stringify(handle)}, unsigned`, 400, 'bad handle', ({ alice, room }) =>
        alice.post(`/api/rooms/${room}/${path}`, { handle }),
      ),
    ),
  ),
  ...['claim', 'ack'].map(path =>
    // fidelity safebot/http, same: A claim or an ack of an unknown handle gets 404.
    refused(`${path} as an unregistered handle`, 404, 'no such handle', ({ carol, room }) =>
      carol.signed(`/api/rooms/${room}/${path}`),
    ),
  ),
  // fidelity safebot/http, same: A missing signature, a wrong scheme and a bad signature get the same 401.
  claimSigned('a claim without a signature', () => ({})),
  claimSigned('a bearer', () => ({ authorization: 'Bearer abc' })),
  claimSigned('the scheme in small letters', ({ alice }, target) => ({
    authorization: alice.authorization('POST', target).replace('SafeBot', 'safebot'),
  })),
  // fidelity safebot/http, same: The signature of a request covers its path.
  claimSigned('a signature for another path', ({ alice }) => ({
    authorization: alice.authorization('POST', '/api/rooms/room-2/claim'),
  })),
  // fidelity safebot/http, same: The signature of a request covers its query.
  claimSigned('a signature for another query', ({ alice }, target) => ({
    authorization: alice.authorization('POST', `${target}?timeout=90`),
  })),
  claimSigned('a signature for another method', ({ alice }, target) => ({
    authorization: alice.authorization('GET', target),
  })),
  claimSigned("another's signature", ({ bob }, target) => ({
    authorization: bob.authorization('POST', target),
  })),
  ...[-60_001, 60_001].map(skew =>
    claimSigned(`a claim signed ${skew} ms off`, ({ alice }, target) => ({
      authorization: alice.authorization('POST', target, { ts: alice.now() + skew }),
    })),
  ),
  ...['', 'x'.repeat(15), 'x'.repeat(65), 'not a good nonce!'].map(nonce =>
    claimSigned(`a claim signed with the nonce "${nonce}"`, ({ alice }, target) => ({
      authorization: alice.authorization('POST', target, { nonce }),
    })),
  ),
  claimSigned('a signature of 63 bytes', ({ alice }) => ({
    authorization: `SafeBot ts=${alice.now()},n=${freshNonce()},sig=${Buffer.alloc(63).toString('base64')}`,
  })),
  claimSigned('a signature that is no base64', ({ alice }) => ({
    authorization: `SafeBot ts=${alice.now()},n=${freshNonce()},sig=%%%`,
  })),
  claimSigned('a time that is none', ({ alice }, target) => ({
    authorization: alice.authorization('POST', target, { ts: Number.NaN }),
  })),
  // fidelity safebot/http, same: The nonce of a signed request is good once.
  refused('a signed request again', 401, UNSIGNED, async world => {
    await tasked(world)
    const authorization = world.alice.authorization('POST', claimPath(world))
    const send = () => world.alice.post(claimPath(world), { handle: 'alice' }, { authorization })
    expect((await send()).status).toBe(200)
    return send()
  }),
  ack('the ack of a claim', 200, acked(true), () => ({})),
  ack('an ack with letters behind the seq', 200, acked(true), claimed => ({ seq: `${seqOf(claimed)}junk` })),
  // fidelity safebot/tasks, same: An ack with another claim id gets 409 with the cursor.
  ack('an ack of another claim', 409, stale, () => ({ claim_id: 'another' })),
  ack('an ack without a claim', 409, stale, () => ({ claim_id: undefined })),
  ack('an ack of a later seq', 409, stale, claimed => ({ seq: seqOf(claimed) + 1 })),
  ...[0, undefined, 'x', null].map(seq =>
    // fidelity safebot/tasks, same: An ack of seq 0 gets 409.
    ack(`an ack of seq ${JSON.stringify(seq)}`, 409, stale, () => ({ seq })),
  ),
  // fidelity safebot/tasks, same: A negative `seq` is below each cursor. Its ack is accepted and changes
  // nothing.
  ack('an ack of seq -1', 200, acked(false), () => ({ seq: -1 })),
  // fidelity safebot/tasks, same: An ack in a room where the handle has never claimed is accepted, with
  // cursor 0.
  {
    request: 'an ack without an earlier claim',
    send: ({ alice, room }) => alice.ack(room, { claim_id: 'x', seq: 7 }),
    status: 200,
    body: { ok: true, advanced: false, cursor: 0 },
  },
  // fidelity safebot/tasks, same: An ack at the cursor is accepted with any claim id, and changes nothing.
  {
    request: 'a second ack, with any claim id',
    status: 200,
    body: acked(false),
    async send(world) {
      await tasked(world)
      const claimed = await world.alice.claim(world.room)
      const seq = seqOf(claimed)
      await world.alice.ack(world.room, { claim_id: fieldsOf(claimed).claim_id, seq })
      return world.alice.ack(world.room, { claim_id: 'any', seq })
    },
  },
  // fidelity safebot/tasks, same: A late ack gets 409 with the cursor.
  {
    request: 'an ack 60,001 ms after the claim',
    status: 409,
    body: stale,
    async send(world) {
      await tasked(world)
      const claimed = await world.alice.claim(world.room)
      await world.instance.clock.advance(60_001)
      return world.alice.ack(world.room, { claim_id: fieldsOf(claimed).claim_id, seq: seqOf(claimed) })
    },
  },
  ...[
    ['', 60_000],
    ['?ttl_ms=1000', 60_000],
    ['?ttl_ms=0', 60_000],
    ['?ttl_ms=90000', 90_000],
    ['?ttl_ms=999999', 300_000],
    ['?ttl_ms=x', 60_000],
  ].map(
    ([query, ms]): Case => ({
      // fidelity safebot/tasks, same: A claim over HTTP may ask for a lease of 60 to 300 s. An ack at the end
      // of that time is accepted.
      request: `an ack ${ms} ms after a claim with "${query}"`,
      status: 200,
      body: acked(true),
      async send(world) {
        await tasked(world)
        const claimed = await world.alice.claim(world.room, String(query))
        await world.instance.clock.advance(Number(ms))
        return world.alice.ack(world.room, { claim_id: fieldsOf(claimed).claim_id, seq: seqOf(claimed) })
      },
    }),
  ),
]
