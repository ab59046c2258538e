import { describe, expect, it } from 'vitest'
import { clientAddress, isLoopback } from '../../../shared/http/listener.js'

it.each([
  ['127.0.0.1', true],
  ['127.9.9.9', true],
  ['::1', true],
  ['::ffff:127.0.0.1', true],
  ['10.0.0.1', false],
  ['203.0.113.1', false],
  ['localhost', false],
])('%s is this machine: %s', (address, own) => {
  expect(isLoopback(address)).toBe(own)
})

describe('the address of a request', () => {
  it.each([
    ['198.51.100.7', '203.0.113.1', '198.51.100.7', '198.51.100.7'],
    ['127.0.0.1', undefined, '127.0.0.1', '127.0.0.1'],
    ['127.0.0.1', ' , ', '127.0.0.1', '127.0.0.1'],
    ['127.0.0.1', '203.0.113.1', '203.0.113.1', '203.0.113.1'],
    ['::1', '203.0.113.1, 198.51.100.2', '203.0.113.1', '198.51.100.2'],
    ['::1', '203.0.113.1, 127.0.0.1', '203.0.113.1', '203.0.113.1'],
    ['::1', '127.0.0.1', '127.0.0.1', '127.0.0.1'],
  ])('of socket %s with X-Forwarded-For %j: first %s, nearest %s', (peer, forwarded, first, nearest) => {
    expect(clientAddress(peer, forwarded, 'first')).toBe(first)
    expect(clientAddress(peer, forwarded, 'nearest')).toBe(nearest)
  })
})
