import { describe, expect, it } from 'vitest'
import { Guard } from '../../../shared/http/listener.js'

const host = '127.0.0.1:4802'

describe('the guard of a listener', () => {
  const guard = new Guard()

  it.each(['127.0.0.1:4802', 'localhost:4802', 'LOCALHOST', '[::1]', '[::1]:4802', '[0:0::1]:65535'])(
    'accepts Host %s',
    name => {
      expect(guard.refusal({ host: name })).toBeUndefined()
    },
  )

  it.each([
    'evil.invalid',
    'evil.invalid:4802',
    'localhost.evil.invalid',
    '127.0.0.1.evil.invalid',
    '',
    'a b',
    'localhost#.evil',
    'localhost/',
    'localhost/.evil',
    'localhost?',
    'localhost\\.evil',
    'localhost@evil.invalid',
    'user@localhost',
    'user:password@localhost:4802',
    ' localhost',
    'localhost ',
    'local host',
    'local\thost',
    'localhost,evil.invalid',
    'localhost.',
    'localhost:',
    'localhost:0',
    'localhost:65536',
    'localhost:48o2',
    'localhost:-1',
    'localhost:80:80',
    'http://localhost',
    '127.1',
    '2130706433',
    '0x7f.0.0.1',
    'loc%61lhost',
    '::1',
    '[::1',
    '[::1]x',
    '[::1]:',
    '[localhost]',
    '[]',
  ])('refuses Host %j', name => expect(guard.refusal({ host: name })).toContain('Host'))

  it('refuses a request with several Host headers', () => {
    const rawHeaders = ['Host', host, 'Accept', '*/*', 'hOST', 'evil.invalid']
    expect(guard.refusal({ host }, [], rawHeaders)).toContain('several Host headers')
    expect(guard.refusal({ host }, [], rawHeaders.slice(0, 4))).toBeUndefined()
  })

  it('refuses a request without Host', () => expect(guard.refusal({})).toContain('Host'))

  it.each(['http://localhost:5173', 'http://127.0.0.1:1', 'https://localhost', 'http://[::1]:80'])(
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
    'http://localhost#.evil.invalid',
    'http://localhost/',
    'http://localhost?',
    'http://user@localhost',
    'http://localhost:',
    'http://localhost:65536',
    'http://localhost, http://evil.invalid',
    'http:localhost',
    'http:///localhost',
    'localhost',
    '',
  ])('refuses Origin %j', origin => expect(guard.refusal({ host, origin })).toContain('Origin'))

  it('for own pages only refuses those of another port', () => {
    const own = new Guard([], true)
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

  it('accepts configured names, an IPv6 address among them', () => {
    const named = new Guard(['Understudy.Test', 'fd00::1'])
    expect(named.refusal({ host: 'understudy.test:4802' })).toBeUndefined()
    expect(named.refusal({ host: '[fd00::1]:4802' })).toBeUndefined()
    expect(named.refusal({ host: 'other.test' })).toContain('--allow-host')
  })
})
