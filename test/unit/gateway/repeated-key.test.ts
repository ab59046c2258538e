import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { repeatedKey } from '../../../servers/gateway/messages.js'

describe('a key that stands twice in one object', () => {
  it.each([
    ['{"a":1,"a":2}', 'a'],
    ['{"a":{"b":[{"c":1,"c":2}]}}', 'c'],
    ['{"a":1,"\\u0061":2}', 'a'],
    ['{"a":"\\\\","a":2}', 'a'],
    ['{"":1,"":2}', ''],
    ['[{"a":1},{"x":"\\"","x":1}]', 'x'],
    ['{ "a" : [1, 2] , "a" : 3 }', 'a'],
    ['{"__proto__":1,"__proto__":2}', '__proto__'],
  ])('is found: %s', (json, key) => {
    JSON.parse(json)
    expect(repeatedKey(json)).toBe(key)
  })

  it.each([
    '{"a":1,"b":2}',
    '{"a":{"a":{"a":1}}}',
    '[{"a":1},{"a":2}]',
    '{"a":"a","b":"a"}',
    '{"a":["a","a"]}',
    '{"a":"\\"a\\":1,\\"a\\":2"}',
    '"a"',
    '{"a\\\\":1,"a":2}',
  ])('is not seen where there is none: %s', json => {
    JSON.parse(json)
    expect(repeatedKey(json)).toBeUndefined()
  })

  it('is not seen in whatever a writer of JSON has written', () => {
    fc.assert(fc.property(fc.json(), json => repeatedKey(JSON.stringify(JSON.parse(json))) === undefined))
  })
})
