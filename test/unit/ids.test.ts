import { expect, it } from 'vitest'
import { IdSource } from '../../shared/ids.js'

const draw = (ids: IdSource) => [ids.uuid(), ids.text('abcdef', 12), ids.hex(8), ids.bytes(5).toString('hex')]

it('draws the same from the same seed', () => {
  expect(draw(new IdSource('a'))).toEqual(draw(new IdSource('a')))
})

it('draws differently from another seed, and without one', () => {
  expect(draw(new IdSource('a'))).not.toEqual(draw(new IdSource('b')))
  expect(draw(new IdSource())).not.toEqual(draw(new IdSource()))
})

it('splits off streams that do not shift one another', () => {
  const plain = new IdSource('a').stream('rooms').uuid()
  const ids = new IdSource('a')
  ids.stream('sessions').uuid()
  ids.uuid()
  expect(ids.stream('rooms').uuid()).toBe(plain)
  expect(ids.stream('sessions').uuid()).not.toBe(plain)
})

it('makes version 4 UUIDs', () => {
  const ids = new IdSource('a')
  for (let count = 0; count < 200; count++) {
    expect(ids.uuid()).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/)
  }
})

it('gives one unbroken stream of bytes, however it is drawn', () => {
  const whole = new IdSource('a').bytes(10_000)
  const ids = new IdSource('a')
  const parts = Array.from({ length: 10 }, () => ids.bytes(1000))
  expect(Buffer.concat(parts).equals(whole)).toBe(true)
})
