import { describe, expect, it } from 'vitest'
import { identify } from '../../../servers/instanode/callers.js'

function caller(headers: Record<string, string>, remoteAddress?: string) {
  return identify({ transport: 'http', session: null, headers, remoteAddress, query: new URLSearchParams() })
}

describe('the address of a caller', () => {
  const forwarded = { 'x-forwarded-for': '203.0.113.1, 10.0.0.1' }

  it.each(['127.0.0.1', '::1', '::ffff:127.0.0.1'])('is the address that a proxy at %s names', proxy => {
    expect(caller(forwarded, proxy).address).toBe('203.0.113.1')
  })

  // fidelity instanode/cap, differs: The service believes `X-Forwarded-For` of any caller. Here: It must come
  // from this machine, because a caller could avoid the cap otherwise.
  it.each(['198.51.100.1', '2001:db8::1'])(
    'is the socket address of %s, and X-Forwarded-For is ignored',
    peer => {
      expect(caller(forwarded, peer).address).toBe(peer)
    },
  )

  it('is this machine for a pipe, and for a proxy that names no address', () => {
    expect(caller({}).address).toBe('127.0.0.1')
    expect(caller({ 'x-forwarded-for': ' , ' }, '::1').address).toBe('::1')
  })
})

describe('the credential of a caller', () => {
  it.each([
    ['Bearer abc', 'abc'],
    ['Bearer  abc', ' abc'],
    ['bearer abc', undefined],
    ['Basic abc', undefined],
    ['Bearer', undefined],
    ['Bearer ', undefined],
  ])('of %j is %j', (authorization, bearer) => {
    expect(caller({ authorization }).bearer).toBe(bearer)
  })
})
