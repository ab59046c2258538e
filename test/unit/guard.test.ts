import { describe, expect, it } from 'vitest'
import { Guard } from '../../shared/http/guard.js'

const host = '127.0.0.1:4802'

describe('the guard of a listener', () => {
  const guard = new Guard()

  it.each(['127.0.0.1:4802', 'localhost:4802', 'LOCALHOST', '[::1]:4802'])('accepts Host %s', name => {
    expect(guard.refusal({ host: name })).toBeUndefined()
  })

  it.each([
    'evil.invalid',
    'evil.invalid:4802',
    'localhost.evil.invalid',
    '127.0.0.1.evil.invalid',
    '',
    'a b',
  ])('refuses Host %j', name => expect(guard.refusal({ host: name })).toContain('Host'))

  it('refuses a request without Host', () => expect(guard.refusal({})).toContain('Host'))

  it.each(['http://localhost:5173', 'http://127.0.0.1:1', 'https://localhost'])(
    'accepts Origin %s',
    origin => {
      expect(guard.refusal({ host, origin })).toBeUndefined()
    },
  )

  it.each([
    'https://evil.invalid',
    'null',
    'http://localhost.evil.invalid',
    'http://localhost@evil.invalid',
    '',
  ])('refuses Origin %j', origin => expect(guard.refusal({ host, origin })).toContain('Origin'))

  it('that takes its own pages only refuses those of another port', () => {
    const own = new Guard([], { ownPagesOnly: true })
    expect(own.refusal({ host, origin: 'http://127.0.0.1:4802' })).toBeUndefined()
    expect(own.refusal({ host: 'localhost:4802', origin: 'http://LOCALHOST:4802' })).toBeUndefined()
    for (const origin of [
      'http://127.0.0.1:3000',
      'http://localhost:4802',
      'https://127.0.0.1:4802',
      'null',
    ]) {
      expect(own.refusal({ host, origin })).toContain('Origin')
    }
  })

  it('accepts the names it was given, an IPv6 address among them', () => {
    const named = new Guard(['Understudy.Test', 'fd00::1'])
    expect(named.refusal({ host: 'understudy.test:4802' })).toBeUndefined()
    expect(named.refusal({ host: '[fd00::1]:4802' })).toBeUndefined()
    expect(named.refusal({ host: 'other.test' })).toContain('--allow-host')
  })
})
