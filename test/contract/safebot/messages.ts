import { expect } from 'vitest'
import { anyCipher } from '../../support/clients/safebot-agent.js'
import { type Case, LAX_SIGNATURES, refused, type World } from './case.js'

const posted = { ok: true, id: expect.stringMatching(/^[0-9a-f-]{36}$/), seq: expect.any(Number) }
const SIGNED_ONLY = 'signed_only: this room requires sender_sig from a registered @handle'

const say = (world: World, more: object) => world.alice.say(world.room, anyCipher(), more)
const saySigned = (world: World, more: object) => world.alice.saySigned(world.room, anyCipher(), more)

const taken = (request: string, send: Case['send']): Case => ({ request, status: 200, body: posted, send })
const bad = (request: string, send: Case['send']): Case => refused(request, 400, 'bad message', send)

/** Base64 of that many characters. */
const chars = (length: number) => anyCipher((length / 4) * 3).ciphertext

export const messages: Case[] = [
  taken('a message', world => say(world, {})),
  taken('a message with a reply and a time of its own', world =>
    say(world, { reply_to: 'abcdefgh', ttl_ms: 30_000 }),
  ),
  ...[undefined, null, '', 'x'.repeat(64), '\u{1f600}'.repeat(32), '@alice', 'a b\n'].map(sender =>
    taken(`a message from ${JSON.stringify(sender)}`, world => say(world, { sender })),
  ),
  ...['x'.repeat(65), 7, [], {}, true].map(sender =>
    // fidelity safebot/http, same: The sender of a message is a text of at most 64 characters.
    bad(`a message from ${JSON.stringify(sender)}`, world => say(world, { sender })),
  ),
  // fidelity safebot/http, same: A ciphertext has at most 131,072 characters.
  taken('131,072 characters of ciphertext', world => say(world, { ciphertext: chars(131_072) })),
  bad('131,076 characters of ciphertext', world => say(world, { ciphertext: chars(131_076) })),
  ...['', 'AAA', 'AAA=A', 'AAB=', 'A A=', '====', 'ÄÄÄÄ', null, 7, ['AAAA']].map(ciphertext =>
    // fidelity safebot/http, same: A ciphertext is canonical base64.
    bad(`the ciphertext ${JSON.stringify(ciphertext)}`, world => say(world, { ciphertext })),
  ),
  taken('a ciphertext in the URL-safe alphabet', world => say(world, { ciphertext: '-_-_' })),
  // fidelity safebot/http, same: A ciphertext may mix both base64 alphabets.
  taken('a ciphertext in both alphabets', world => say(world, { ciphertext: 'AA+_' })),
  ...[23, 25].map(bytes =>
    // fidelity safebot/http, same: A nonce has exactly 24 bytes.
    bad(`a nonce of ${bytes} bytes`, world => say(world, { nonce: Buffer.alloc(bytes).toString('base64') })),
  ),
  bad('no nonce', world => say(world, { nonce: undefined })),
  ...['short', 'x'.repeat(65), 'not an id!', 7].map(reply_to =>
    // fidelity safebot/http, same: A `reply_to` that is too short, too long or has other characters is
    // refused.
    bad(`a reply to ${JSON.stringify(reply_to)}`, world => say(world, { reply_to })),
  ),
  ...[0, 30_000, 366 * 86_400_000].map(ttl_ms =>
    taken(`a message to be kept for ${ttl_ms} ms`, world => say(world, { ttl_ms })),
  ),
  ...[29_999, 366 * 86_400_000 + 1, -1, '30000', true].map(ttl_ms =>
    // fidelity safebot/http, same: A `ttl_ms` is 0, or from 30,000 ms to 366 days. Any other value is
    // refused.
    bad(`a message to be kept for ${JSON.stringify(ttl_ms)} ms`, world => say(world, { ttl_ms })),
  ),
  bad('nothing', ({ alice, room }) => alice.post(`/api/rooms/${room}/messages`, {})),
  ...['abc', 'x'.repeat(65), 'ro.om', 'ro%20om', 'r%C3%B6%C3%B6m'].map(room =>
    refused(`a message in ${room}`, 400, 'bad roomId', ({ alice }) => alice.say(room)),
  ),
  taken('a signed message', world => saySigned(world, {})),
  taken('a signed message of Alice in capitals', world => saySigned(world, { sender_handle: 'ALICE' })),
  ...[-60_000, 60_000].map(skew =>
    // fidelity safebot/http, same: The time of a signed message may be 60 s off.
    taken(`a message signed ${skew} ms off`, ({ alice, room }) => {
      const cipher = anyCipher()
      const ts = alice.now() + skew
      return alice.say(room, cipher, alice.vouching(room, cipher.ciphertext, { ts }))
    }),
  ),
  ...[-60_001, 60_001].map(skew =>
    refused(`a message signed ${skew} ms off`, 401, 'bad sender_sig', ({ alice, room }) => {
      const cipher = anyCipher()
      const ts = alice.now() + skew
      return alice.say(room, cipher, alice.vouching(room, cipher.ciphertext, { ts }))
    }),
  ),
  ...LAX_SIGNATURES.map(([how, write]) =>
    // fidelity safebot/http, same: The signature of a message may lack its padding, have characters after it,
    // or use the URL-safe alphabet.
    taken(`a message whose signature is written ${how}`, ({ alice, room }) => {
      const cipher = anyCipher()
      const vouching = alice.vouching(room, cipher.ciphertext)
      return alice.say(room, cipher, { ...vouching, sender_sig: write(vouching.sender_sig) })
    }),
  ),
  // fidelity safebot/http, same: The time of a signed message may have letters after its digits.
  taken('a message signed at a time with letters behind it', world => {
    const ts = world.alice.now()
    const cipher = anyCipher()
    const vouching = world.alice.vouching(world.room, cipher.ciphertext, { ts })
    return world.alice.say(world.room, cipher, { ...vouching, sender_ts: `${ts}junk` })
  }),
  taken('a message signed with the machine’s time', ({ alice, room, instance }) => {
    const cipher = anyCipher()
    return alice.say(room, cipher, alice.vouching(room, cipher.ciphertext, { ts: instance.machine.now() }))
  }),
  // fidelity safebot/http, same: The nonce of a signed message is good once.
  refused('a signed message again', 401, 'bad sender_sig', async ({ alice, room }) => {
    const cipher = anyCipher()
    const vouching = alice.vouching(room, cipher.ciphertext)
    expect((await alice.say(room, cipher, vouching)).status).toBe(200)
    return alice.say(room, cipher, vouching)
  }),
  // fidelity safebot/http, same: The signature of a message covers the room.
  refused('a message signed for another room', 401, 'bad sender_sig', ({ alice, room }) => {
    const cipher = anyCipher()
    return alice.say(room, cipher, alice.vouching('another', cipher.ciphertext))
  }),
  // fidelity safebot/http, same: The signature of a message covers the ciphertext.
  refused('a message signed for another text', 401, 'bad sender_sig', ({ alice, room }) =>
    alice.say(room, anyCipher(), alice.vouching(room, anyCipher().ciphertext)),
  ),
  ...['short', 'x'.repeat(65), 'x'.repeat(15), 'nonce with blanks', undefined, 7].map(nonce =>
    refused(`a message signed with the nonce ${nonce}`, 401, 'bad sender_sig', world =>
      saySigned(world, { sender_nonce: nonce }),
    ),
  ),
  refused('a message signed by a stranger', 401, 'bad sender_sig', ({ carol, room }) =>
    carol.saySigned(room),
  ),
  refused("a message signed with one's own key for another", 401, 'bad sender_sig', world =>
    saySigned(world, { sender_handle: 'bob' }),
  ),
  refused('a signature that is no base64', 401, 'bad sender_sig', world =>
    saySigned(world, { sender_sig: '!' }),
  ),
  refused('an unsigned message that locks the room', 400, 'signed_only requires sender_sig', world =>
    say(world, { signed_only: true }),
  ),
  taken('a signed message that locks the room', world => saySigned(world, { signed_only: true })),
  // fidelity safebot/http, same: A signed message with `signed_only` locks its room. Unsigned messages then
  // get 403.
  refused('an unsigned message to a locked room', 403, SIGNED_ONLY, async world => {
    await saySigned(world, { signed_only: true })
    return say(world, {})
  }),
  taken('a signed message to a locked room, with signed_only false', async world => {
    await saySigned(world, { signed_only: true })
    return saySigned(world, { signed_only: false })
  }),
]
