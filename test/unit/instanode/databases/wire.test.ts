import { createHash, createHmac, pbkdf2Sync } from 'node:crypto'
import { fc, test } from '@fast-check/vitest'
import { describe, expect, it } from 'vitest'
import { BadFrame, Framer, frame } from '../../../../servers/instanode/databases/embedded/wire/frames.js'
import {
  BadExchange,
  readStartup,
  ScramExchange,
} from '../../../../servers/instanode/databases/embedded/wire/handshake.js'
import { makeVerifier } from '../../../../servers/instanode/databases/provider.js'

describe('framer', () => {
  const messages = fc.array(fc.tuple(fc.constantFrom('Q', 'P', 'd'), fc.uint8Array({ maxLength: 50 })), {
    maxLength: 8,
  })

  test.prop([messages, fc.array(fc.integer({ min: 1, max: 9 }), { minLength: 1 })])(
    'finds the same messages however the stream is cut',
    (parts, cuts) => {
      const stream = Buffer.concat(parts.map(([type, body]) => frame(type, Buffer.from(body))))
      const framer = new Framer(1000)
      const found = []
      for (let at = 0, cut = 0; at < stream.length; cut++) {
        const size = cuts[cut % cuts.length] ?? 1
        found.push(...framer.push(stream.subarray(at, at + size)))
        at += size
      }
      expect(found.map(({ type, bytes }) => [type, [...bytes.subarray(5)]])).toEqual(
        parts.map(([type, body]) => [type, [...body]]),
      )
    },
  )

  it.each([0, 3, 1001, 2 ** 32 - 1])('refuses a length of %d', length => {
    const bytes = Buffer.alloc(5, 'Q')
    bytes.writeUInt32BE(length, 1)
    expect(() => new Framer(1000).push(bytes)).toThrow(BadFrame)
  })
})

test.prop([fc.uint8Array({ maxLength: 40 })])('any start-up message is read or refused', bytes => {
  try {
    readStartup(Buffer.from(bytes))
  } catch (error) {
    expect(error).toBeInstanceOf(BadFrame)
  }
})

describe('SCRAM', () => {
  const salt = Buffer.from('W22ZaJ0SNY7soEsUEjb6gQ==', 'base64')
  const nonce = '%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0'

  // The example of RFC 7677, section 3.
  it('gives the answer of the RFC’s example', async () => {
    const exchange = new ScramExchange('SCRAM-SHA-256', await makeVerifier('pencil', salt), nonce, undefined)
    expect(exchange.first('n,,n=user,r=rOprNGfwEbeRWgbNEkqO')).toBe(
      `r=rOprNGfwEbeRWgbNEkqO${nonce},s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096`,
    )
    expect(
      exchange.final(`c=biws,r=rOprNGfwEbeRWgbNEkqO${nonce},p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=`),
    ).toBe('v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=')
  })

  it('refuses a wrong password', async () => {
    const exchange = new ScramExchange('SCRAM-SHA-256', await makeVerifier('other', salt), nonce, undefined)
    exchange.first('n,,n=user,r=rOprNGfwEbeRWgbNEkqO')
    const final = `c=biws,r=rOprNGfwEbeRWgbNEkqO${nonce},p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=`
    expect(exchange.final(final)).toBeUndefined()
  })

  it.each([
    ['a nonce of its own', `c=biws,r=stolen,p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=`],
    ['another binding', `c=eSws,r=abc${nonce},p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=`],
    ['no proof', `c=biws,r=abc${nonce}`],
  ])('refuses %s', async (_what, final) => {
    const exchange = new ScramExchange('SCRAM-SHA-256', await makeVerifier('pencil', salt), nonce, undefined)
    exchange.first('n,,n=,r=abc')
    expect(() => exchange.final(final)).toThrow(BadExchange)
  })

  it('detects that its offer of channel binding was removed', async () => {
    const verifier = await makeVerifier('pencil', salt)
    const exchange = new ScramExchange('SCRAM-SHA-256', verifier, nonce, Buffer.alloc(32))
    expect(() => exchange.first('y,,n=,r=abc')).toThrow(/negotiation/)
    expect(() => new ScramExchange('SCRAM-SHA-256-PLUS', verifier, nonce, undefined)).toThrow(BadExchange)
  })

  it('stores what PostgreSQL stores', async () => {
    const salted = pbkdf2Sync('pencil', salt, 4096, 32, 'sha256')
    const key = createHmac('sha256', salted).update('Client Key').digest()
    const { storedKey } = await makeVerifier('pencil', salt)
    expect(storedKey).toBe(createHash('sha256').update(key).digest('base64'))
  })
})
