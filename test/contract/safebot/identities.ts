import { expect } from 'vitest'
import { anyCipher } from '../../support/clients/safebot-agent.js'
import { type Case, refused, type World } from './case.js'

const REGISTER = '/api/identity/register'
const KEYS = 'box_pub and sign_pub must be base64 of 32 bytes'

const register = (world: World, more: object) =>
  world.carol.post(REGISTER, { ...world.carol.registration(), ...more })

export const identities: Case[] = [
  // fidelity safebot/http, same: A registration answers 201 with `ok`, `handle` and `registered_at`.
  {
    request: 'a registration',
    send: ({ carol }) => carol.register({ meta: { bio: 'x'.repeat(300), other: 1 } }),
    status: 201,
    body: { ok: true, handle: 'carol', registered_at: expect.any(Number) },
  },
  {
    request: 'a registration by the owner, signed anew',
    send: async ({ alice, instance }) => {
      await instance.clock.advance(1)
      return alice.register()
    },
    status: 201,
    body: { ok: true, handle: 'alice', registered_at: expect.any(Number) },
  },
  // fidelity safebot/http, same: A second registration by the owner answers 201 and changes nothing.
  {
    request: 'a look-up after the owner has registered with another box_pub and bio',
    send: async ({ alice, bob, instance }) => {
      await instance.clock.advance(1)
      const ts = instance.clock.now()
      const sig = alice.sign(`register alice ${ts} ${bob.boxPub} ${alice.signPub}`)
      const again = { ...alice.registration(), box_pub: bob.boxPub, register_sig: sig, meta: { bio: 'new' } }
      expect((await alice.post(REGISTER, again)).status).toBe(201)
      return alice.get('/api/identity/alice')
    },
    status: 200,
    body: {
      handle: 'alice',
      box_pub: expect.any(String),
      sign_pub: expect.any(String),
      registered_at: expect.any(Number),
      meta: {},
    },
  },
  // fidelity safebot/http, same: A look-up ignores a leading @ and capitals.
  {
    request: 'a look-up of @Alice',
    send: ({ alice }) => alice.get('/api/identity/@Alice'),
    status: 200,
    body: expect.objectContaining({ handle: 'alice' }),
  },
  ...[
    [['dora'], 'dora'],
    [[[['dora']]], 'dora'],
    [77, '77'],
  ].map(
    ([handle, text]): Case => ({
      // fidelity safebot/http, same: A handle that is a number or a list of one becomes text first.
      request: `a registration of ${JSON.stringify(handle)}`,
      send: ({ carol }) => carol.post(REGISTER, { ...carol.registration({ handle: String(text) }), handle }),
      status: 201,
      body: { ok: true, handle: text, registered_at: expect.any(Number) },
    }),
  ),
  ...[
    [{ bio: 'hi' }, { bio: 'hi' }],
    [{ bio: 'x'.repeat(281) }, { bio: 'x'.repeat(280) }],
    [{ bio: 5 }, { bio: '5' }],
    [{ bio: true }, { bio: 'true' }],
    [{ bio: null }, { bio: '' }],
    [{ bio: [] }, { bio: '' }],
    [{ bio: ['x'] }, { bio: '' }],
    [{}, { bio: '' }],
    ['hi', {}],
    [null, {}],
  ].map(
    ([meta, kept]): Case => ({
      // fidelity safebot/http, same: `meta.bio` becomes text of at most 280 characters. Null and lists become
      // empty.
      request: `a look-up after a registration with meta ${JSON.stringify(meta)}`.slice(0, 80),
      async send(world) {
        expect((await register(world, { meta })).status).toBe(201)
        return world.carol.get('/api/identity/carol')
      },
      status: 200,
      body: expect.objectContaining({ handle: 'carol', meta: kept }),
    }),
  ),
  {
    request: 'a registration signed with the machine’s time',
    send: ({ carol, instance }) => carol.post(REGISTER, carol.registration({ ts: instance.machine.now() })),
    status: 201,
    body: expect.objectContaining({ ok: true }),
  },
  refused('a look-up of an unknown handle', 404, 'no such handle', ({ carol }) =>
    carol.get('/api/identity/carol'),
  ),
  ...[
    'Carol',
    'c',
    '-carol',
    '_carol',
    'c'.repeat(33),
    'ca rol',
    '',
    7,
    null,
    [],
    ['carol', 'dora'],
    [['admin', 1]],
    { a: 1 },
  ].map(handle =>
    refused(`a registration of ${JSON.stringify(handle)}`, 400, 'invalid handle', world =>
      register(world, { handle }),
    ),
  ),
  refused('a registration of ["admin"]', 409, 'handle reserved', world =>
    register(world, { handle: ['admin'] }),
  ),
  ...['anon', 'admin', 'safebot', 'system', 'root', 'support', 'help', 'demo', 'echo'].map(handle =>
    // fidelity safebot/http, same: Nine handles are reserved and get 409.
    // fidelity safebot/http, absent: An administrator's token registers a reserved handle. Here: No token
    // does, because the stand-in has no administrator.
    refused(`a registration of ${handle}`, 409, 'handle reserved', ({ carol }) =>
      carol.post(REGISTER, carol.registration({ handle })),
    ),
  ),
  // fidelity safebot/http, same: A registration without two keys of 32 bytes gets 400.
  refused('a registration without keys', 400, KEYS, world => register(world, { box_pub: undefined })),
  refused('a key of 31 bytes', 400, KEYS, world =>
    register(world, { sign_pub: Buffer.alloc(31).toString('base64') }),
  ),
  refused('a key without its padding', 400, KEYS, world =>
    register(world, { sign_pub: world.carol.signPub.replace('=', '') }),
  ),
  refused('a key with bits behind its end', 400, KEYS, world =>
    register(world, { box_pub: `${'A'.repeat(42)}B=` }),
  ),
  refused("a registration of another's handle", 409, 'handle taken', ({ carol }) =>
    carol.post(REGISTER, carol.registration({ handle: 'alice' })),
  ),
  // fidelity safebot/http, same: An exact replay of a registration gets 409 `handle taken`.
  refused('the very same registration again', 409, 'handle taken', async ({ carol }) => {
    const body = carol.registration()
    expect((await carol.post(REGISTER, body)).status).toBe(201)
    return carol.post(REGISTER, body)
  }),
  refused(
    'the same registration again, its signature in the other alphabet',
    409,
    'handle taken',
    async ({ carol }) => {
      const body = carol.registration()
      expect((await carol.post(REGISTER, body)).status).toBe(201)
      const register_sig = body.register_sig.replaceAll('+', '-').replaceAll('/', '_')
      return carol.post(REGISTER, { ...body, register_sig })
    },
  ),
  // fidelity safebot/http, same: The handle is checked before the time. The owner gets 409 `handle taken` for
  // a stale time.
  refused("the owner's registration with a stale time", 409, 'handle taken', ({ alice }) =>
    alice.post(REGISTER, alice.registration({ ts: alice.now() - 60_001 })),
  ),
  refused('no register_sig', 400, 'register_ts and register_sig required', world =>
    register(world, { register_sig: undefined }),
  ),
  refused('a register_ts in quotes', 400, 'register_ts and register_sig required', world =>
    register(world, { register_ts: String(world.carol.now()) }),
  ),
  refused('a register_sig of 63 bytes', 400, 'bad register_sig', world =>
    register(world, { register_sig: Buffer.alloc(63).toString('base64') }),
  ),
  ...[-60_001, 60_001].map(skew =>
    // fidelity safebot/http, same: A registration whose time is more than 60 s off gets 400.
    refused(`a registration signed ${skew} ms off`, 400, 'register_ts skew too large', ({ carol }) =>
      carol.post(REGISTER, carol.registration({ ts: carol.now() + skew })),
    ),
  ),
  ...[-60_000, 60_000].map(skew => ({
    request: `a registration signed ${skew} ms off`,
    send: ({ carol }: World) => carol.post(REGISTER, carol.registration({ ts: carol.now() + skew })),
    status: 201,
    body: expect.objectContaining({ ok: true }),
  })),
  // fidelity safebot/http, same: A registration with a bad signature gets 401.
  refused('a register_sig over another text', 401, 'bad register_sig', world =>
    register(world, { register_sig: world.carol.sign('something else') }),
  ),
  refused("another's key, signed with one's own", 401, 'bad register_sig', ({ carol, stranger }) =>
    carol.post(REGISTER, { ...carol.registration(), sign_pub: stranger('dora').signPub }),
  ),
  refused('a registration as a list', 400, 'invalid handle', ({ carol }) => carol.post(REGISTER, [])),
  refused('a registration as a form', 400, 'invalid handle', ({ carol }) =>
    carol.post(REGISTER, 'handle=carol', { 'content-type': 'application/x-www-form-urlencoded' }),
  ),
  refused('a registration of the size of a message', 400, 'invalid handle', ({ carol }) =>
    carol.post(REGISTER, { ...anyCipher(90_000) }),
  ),
]
