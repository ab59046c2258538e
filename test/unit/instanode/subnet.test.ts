import { describe, expect, it } from 'vitest'
import { subnetOf } from '../../../servers/instanode/domain/provisioning.js'

describe('the subnet of an address', () => {
  // fidelity instanode/cap, same: A text that is no address counts by itself.
  it.each([
    ['203.0.113.1', '203.0.113.254'],
    ['::ffff:203.0.113.7', '203.0.113.8'],
    ['::ffff:cb00:7107', '203.0.113.8'],
    ['2001:db8:1::1', '2001:db8:1:ffff:ffff::9'],
    ['2001:0db8:0001:0000::1', '2001:db8:1::2'],
    ['not an address', 'not an address'],
  ])('%s and %s have the same', (a, b) => {
    expect(subnetOf(a)).toBe(subnetOf(b))
  })

  it.each([
    ['203.0.113.1', '203.0.112.1'],
    ['203.0.113.1', '203.0.114.1'],
    ['2001:db8:1::1', '2001:db8:2::1'],
    ['::1', '127.0.0.1'],
    ['1', '0.0.0.1'],
    ['not an address', 'another'],
  ])('%s and %s have different ones', (a, b) => {
    expect(subnetOf(a)).not.toBe(subnetOf(b))
  })

  // fidelity instanode/cap, differs: The fingerprint is a hash of the subnet. Here: It is the subnet itself,
  // because no caller sees either.
  it('is written as a network', () => {
    expect(subnetOf('203.0.113.77')).toBe('203.0.113.0/24')
    expect(subnetOf('2001:db8:7:abcd::2')).toBe('2001:db8:7::/48')
  })
})
