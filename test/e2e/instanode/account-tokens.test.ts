import { decodeJwt, decodeProtectedHeader, SignJWT, UnsecuredJWT } from 'jose'
import { describe, expect, it } from 'vitest'
import { IdSource } from '../../../shared/ids.js'
import { DEFAULT_WORLD } from '../../../shared/world/default-world.js'
import {
  createWebhook,
  DAY,
  FREE,
  listed,
  listedTokens,
  PAID,
  type RunningInstanode,
  startInstanode,
} from '../../support/servers/instanode.js'
import { ok, refused } from '../../support/servers/understudy.js'

const SEED = 'tokens'
/** The secret of an instance with that seed: what a forger would have to know. */
const SECRET = new IdSource(SEED).stream('instanode').stream('jwt').bytes(32)
const PAID_USER = DEFAULT_WORLD.accounts?.find(({ id }) => id === 'acct_paid')?.userId ?? ''
const START = Date.parse('2026-01-01T00:00:00Z') / 1000

async function mint({ client }: RunningInstanode, token = PAID): Promise<string> {
  return String((await ok(await client(token), 'get_api_token')).token)
}

/** A token as the service would sign it, or nearly so. */
function signed(
  claims: Record<string, unknown>,
  alg = 'HS256',
  secret: Uint8Array = SECRET,
): Promise<string> {
  return new SignJWT(claims).setProtectedHeader({ alg }).sign(secret)
}

describe('a token of get_api_token', () => {
  // fidelity instanode/auth, same: A token is a JWT with HS256, `user_id`, `iat` and `exp`.
  it('holds the user, the time of issue and the expiry, signed with HS256', async () => {
    const token = await mint(await startInstanode({ seed: SEED }))
    expect(decodeProtectedHeader(token)).toEqual({ alg: 'HS256', typ: 'JWT' })
    expect(decodeJwt(token)).toEqual({ user_id: PAID_USER, iat: START, exp: START + 2_592_000 })
  })

  // fidelity instanode/auth, same: A token is good for 30 days, to the millisecond.
  it('identifies the account that minted it, for 30 days of the instance’s clock', async () => {
    const running = await startInstanode()
    const caller = await running.client(await mint(running, FREE))
    const { token } = await createWebhook(await running.client(PAID))
    expect(await listed(caller)).toEqual([])
    const own = await createWebhook(caller)
    expect(await listedTokens(caller)).toEqual([own.token])
    expect(await refused(caller, 'delete_resource', { token })).toContain('paid')
    await running.instance.clock.advance(30 * DAY - 1)
    await ok(caller, 'list_resources')
    await running.instance.clock.advance(1)
    expect(await refused(caller, 'list_resources')).toContain('INSTANODE_TOKEN')
  })

  // fidelity instanode/auth, same: A new token leaves earlier ones good.
  it('can mint another token, and stays valid', async () => {
    const running = await startInstanode()
    const first = await mint(running)
    await running.instance.clock.advance(1000)
    const second = await mint(running, first)
    expect(second).not.toBe(first)
    for (const token of [first, second]) await ok(await running.client(token), 'list_resources')
  })

  it('is good at another instance of the same seed, and at no other', async () => {
    const token = await mint(await startInstanode({ seed: SEED }))
    await ok(await (await startInstanode({ seed: SEED })).client(token), 'list_resources')
    const stranger = await (await startInstanode({ seed: 'another' })).client(token)
    expect(await refused(stranger, 'list_resources')).toContain('INSTANODE_TOKEN')
  })

  it('is named by its account in the journal, and appears nowhere', async () => {
    const running = await startInstanode()
    const token = await mint(running)
    await ok(await running.client(token), 'list_resources')
    const [entry] = running.instance.journal.entries({ tool: 'list_resources' })
    expect(entry?.caller).toBe('acct_paid')
    expect(entry?.headers.authorization).toBe('Bearer [masked]')
    expect(JSON.stringify(entry)).not.toContain(token)
  })
})

describe('a bad token', () => {
  // fidelity instanode/auth, same: A token of algorithm `none` is refused, and so is an expired one.
  // fidelity instanode/auth, same: Each bad token gets the same answer.
  it.each<[string, () => Promise<string>]>([
    [
      'is signed with another secret',
      () => signed({ user_id: PAID_USER, exp: START + 60 }, 'HS256', Buffer.alloc(32)),
    ],
    ['has run out', () => signed({ user_id: PAID_USER, exp: START })],
    ['is of alg none', async () => new UnsecuredJWT({ user_id: PAID_USER, exp: START + 60 }).encode()],
    ['names nobody', () => signed({ exp: START + 60 })],
    ['names a stranger', () => signed({ user_id: '00000000-0000-4000-8000-000000000000', exp: START + 60 })],
    ['has a user that is no text', () => signed({ user_id: 7, exp: START + 60 })],
    ['has lost its end', async () => (await signed({ user_id: PAID_USER })).slice(0, -1)],
    ['is no token at all', async () => 'nonsense'],
    ['is the name of an account', async () => 'acct_paid'],
    ['is a fixed token in capitals', async () => PAID.toUpperCase()],
  ])('that %s is refused by every tool', async (_why, make) => {
    const { client, databases, instance } = await startInstanode({ seed: SEED })
    const token = await make()
    const caller = await client(token)
    const texts = [
      await refused(caller, 'list_resources'),
      await refused(caller, 'get_api_token'),
      await refused(caller, 'create_postgres', { name: 'x' }),
      await refused(caller, 'create_webhook', { name: 'x' }),
    ]
    // One sentence for all: it does not tell which of these was the matter.
    expect(new Set(texts.map(text => text.replace(/^\w+/, ''))).size).toBe(1)
    expect(texts[0]).toContain('INSTANODE_TOKEN')
    expect(texts.join()).not.toContain(token)
    expect(databases.live.size).toBe(0)
    expect(instance.journal.entries({ tool: 'list_resources' }).map(entry => entry.caller)).toEqual([
      'unverified',
    ])
  })

  // fidelity instanode/auth, same: A token may use any HMAC algorithm, and may lack `exp`.
  it('would be valid with the right signature, user and time', async () => {
    const { client } = await startInstanode({ seed: SEED })
    for (const alg of ['HS256', 'HS384', 'HS512']) {
      await ok(await client(await signed({ user_id: PAID_USER, exp: START + 60 }, alg)), 'list_resources')
    }
    await ok(await client(await signed({ user_id: PAID_USER })), 'list_resources')
  })
})
