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

it('creates streams that do not affect one another', () => {
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

it('gives the same bytes in any portions', () => {
  const whole = new IdSource('a').bytes(10_000)
  const ids = new IdSource('a')
  const parts = Array.from({ length: 10 }, () => ids.bytes(1000))
  expect(Buffer.concat(parts).equals(whole)).toBe(true)
})

it('returns to any position, with its streams, and draws the same again from there', () => {
  for (const drawn of [0, 1, 15, 16, 17, 4095, 4096, 9001]) {
    const ids = new IdSource('a')
    const stream = ids.stream('rooms').stream('keys')
    ids.bytes(drawn)
    stream.bytes(drawn + 3)
    const positions = ids.positions()
    const [next, ofStream] = [ids.bytes(5000).toString('hex'), stream.bytes(50).toString('hex')]
    ids.stream('made later').uuid()
    ids.moveTo(positions)
    expect([ids.bytes(5000).toString('hex'), stream.bytes(50).toString('hex')]).toEqual([next, ofStream])
    expect(ids.stream('made later').uuid()).toBe(new IdSource('a').stream('made later').uuid())
  }
})

it('creates a source that draws the same again, without a change of itself', () => {
  const ids = new IdSource('a')
  const first = [ids.uuid(), ids.stream('rooms').uuid()]
  const anew = ids.fromBeginning()
  expect([anew.uuid(), anew.stream('rooms').uuid()]).toEqual(first)
  expect(ids.uuid()).toBe(anew.uuid())
})
