import { SUPPORTED_PROTOCOL_VERSIONS } from '@modelcontextprotocol/sdk/types.js'
import { describe, expect, it } from 'vitest'
import { ALL_REVISIONS, Revisions, readRevisions } from '../../../shared/mcp/revisions.js'
import { MODERN, modernRpc } from '../../support/clients/modern.js'
import { rpc } from '../../support/clients/raw-http.js'

it('the legacy revisions are those of the SDK', () => {
  expect(ALL_REVISIONS.legacy).toEqual(SUPPORTED_PROTOCOL_VERSIONS)
  expect(ALL_REVISIONS.modern).toEqual([MODERN])
})

describe('a list of revisions', () => {
  it.each([
    [undefined, ALL_REVISIONS.served],
    ['2026-07-28', [MODERN]],
    [' 2025-06-18 , 2026-07-28 ', [MODERN, '2025-06-18']],
    [['2025-11-25', '2025-11-25'], ['2025-11-25']],
  ])('%j is read', (given, served) => {
    expect(readRevisions(given).served).toEqual(served)
  })

  it.each([
    [
      '2026-07-29',
      'protocol names "2026-07-29": did you mean 2026-07-28? it takes one or more of 2026-07-28, ',
    ],
    ['modern', 'protocol names "modern": it takes one or more of 2026-07-28, 2025-11-25, '],
    ['', 'protocol names "": it takes one or more of '],
    [[], 'protocol names no revision: it takes one or more of '],
  ])('%j is refused with the known revisions', (given, message) => {
    expect(() => readRevisions(given)).toThrow(message)
  })
})

describe('a message', () => {
  const named = (version: string) => ({ 'mcp-protocol-version': version })

  it.each([
    ['a version in _meta', modernRpc('ping'), {}, true],
    ['a version in _meta that is no text', modernRpc('ping', {}, 1, { protocolVersion: null }), {}, true],
    ['an old version in _meta', modernRpc('ping', {}, 1, { protocolVersion: '2025-11-25' }), {}, true],
    ['a _meta without a version', rpc('ping', { _meta: {} }), {}, false],
    ['no _meta', rpc('ping'), {}, false],
    ['a modern header alone', rpc('ping'), named(MODERN), true],
    ['the header of a later revision', rpc('ping'), named('2027-01-01'), true],
    ['a legacy header', rpc('ping'), named('2025-11-25'), false],
    ['a header that is no date', rpc('ping'), named('v999.0.0'), false],
    ['a version in _meta under a legacy header', modernRpc('ping'), named('2025-11-25'), true],
    ['no body and a modern header', undefined, named(MODERN), true],
    ['no body', undefined, {}, false],
    ['a list with a modern message', [rpc('ping'), modernRpc('ping')], {}, true],
    ['a list without', [rpc('ping')], {}, false],
  ])('with %s is classified by its era', (_, body, headers, modern) => {
    expect(ALL_REVISIONS.isModern(body, headers)).toBe(modern)
    expect(new Revisions(['2025-11-25']).isModern(body, headers)).toBe(false)
    expect(new Revisions([MODERN]).isModern(body, headers)).toBe(true)
  })
})
