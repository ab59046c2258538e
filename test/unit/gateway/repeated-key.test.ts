import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { repeatedKey } from '../../../servers/gateway/messages.js'

describe('a repeated key in one object', () => {
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
    expect(repeatedKey(json, JSON.parse(json))).toBe(key)
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
  ])('is not reported where there is none: %s', json => {
    expect(repeatedKey(json, JSON.parse(json))).toBeUndefined()
  })

  it('is found below a hundred thousand levels', () => {
    const json = `${'['.repeat(100_000)}{"a":1,"a":2}${']'.repeat(100_000)}`
    expect(repeatedKey(json, JSON.parse(json))).toBe('a')
  })

  it('is not reported in any output of JSON.stringify, with spaces or without', () => {
    fc.assert(
      fc.property(fc.json(), fc.constantFrom(0, 1), (json, indent) => {
        const value: unknown = JSON.parse(json)
        return repeatedKey(JSON.stringify(value, null, indent), value) === undefined
      }),
    )
  })
})
