import { describe, expect, it } from 'vitest'
import { parseBody } from '../../../shared/http/checked-operation.js'

const nested = (depth: number) => `${'['.repeat(depth)}${']'.repeat(depth)}`

describe('a JSON body', () => {
  it('can be nested a hundred levels deep, and no deeper', () => {
    expect(JSON.stringify(parseBody(nested(100)))).toBe(nested(100))
    expect(() => parseBody(nested(101))).toThrow('nested more than 100 levels')
  })

  it('can have any number of brackets in its strings, also after escaped quotes', () => {
    const text = `${'\\" ['.repeat(500)}`
    expect(parseBody(`{"a":"${text}"}`)).toEqual({ a: text.replaceAll('\\"', '"') })
    expect(parseBody(JSON.stringify({ '[[': '\\' }))).toEqual({ '[[': '\\' })
  })

  it.each(['', '{', 'NaN', '"', `"${'\\"'.repeat(1000)}`])('is refused if it is invalid: %j', text => {
    expect(() => parseBody(text)).toThrow('the body is no JSON')
  })
})
