import { describe, expect, it } from 'vitest'
import { readBaseUrl } from '../../../servers/cli/options.js'

describe('a base URL', () => {
  it.each([
    ['http://127.0.0.1:4801', 'http://127.0.0.1:4801'],
    ['http://127.0.0.1:4801/', 'http://127.0.0.1:4801'],
    ['https://example.invalid/stand-in/', 'https://example.invalid/stand-in'],
    ['HTTP://[::1]:4801', 'http://[::1]:4801'],
  ])('%j is %j', (text, base) => {
    expect(readBaseUrl(text)).toBe(base)
  })

  it.each([
    '',
    '4801',
    'localhost:4801',
    'ftp://127.0.0.1',
    'file:///etc/passwd',
    'http://',
    'http://127.0.0.1:99999',
    'http://user@127.0.0.1',
    'http://:secret@127.0.0.1',
    'http://127.0.0.1/?a=1',
    'http://127.0.0.1/#a',
  ])('%j is refused by its value', text => {
    expect(() => readBaseUrl(text)).toThrow(`--connect is ${JSON.stringify(text)}`)
  })
})
