import { describe, expect, it } from 'vitest'
import { readToken } from '../../../servers/instanode/domain/ownership.js'

const UUID = '3f2b8c1e-9d47-4a60-8e15-7b6c5d4e3f2a'

describe('a resource token', () => {
  // fidelity instanode/ids, same: A token may be written in capitals, without dashes, in braces or as a URN.
  it.each([
    UUID,
    UUID.toUpperCase(),
    UUID.replaceAll('-', ''),
    `{${UUID}}`,
    `urn:uuid:${UUID}`,
    `URN:UUID:${UUID}`,
  ])('%s is read as the same UUID', text => {
    expect(readToken(text)).toBe(UUID)
  })

  it.each([
    '',
    'abc',
    UUID.slice(1),
    `${UUID}0`,
    `{${UUID}`,
    ` ${UUID}`,
    UUID.replace('3', 'g'),
    `${UUID}\n`,
  ])('%j is refused', text => {
    expect(() => readToken(text)).toThrow(expect.objectContaining({ status: 400, code: 'invalid_token' }))
  })

  it('is not repeated in full when it is refused', () => {
    expect(() => readToken('x'.repeat(100_000))).toThrow(/^.{0,200}$/)
  })
})
