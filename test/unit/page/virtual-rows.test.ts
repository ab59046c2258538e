import { fc, test } from '@fast-check/vitest'
import { describe, expect, it } from 'vitest'
import { heightOf, topOf, windowOf } from '../../../servers/page/model/virtual-rows.js'

const rows = fc.record({
  count: fc.integer({ min: 0, max: 10_000 }),
  height: fc.constantFrom(32, 52),
  openAt: fc.integer({ min: -1, max: 200 }),
  openExtra: fc.integer({ min: 0, max: 900 }),
})

describe('the drawn rows', () => {
  test.prop([rows, fc.integer({ min: 0, max: 400_000 })])(
    'are the visible ones, and a few more',
    (given, scrolled) => {
      const list = { ...given, openAt: Math.min(given.openAt, given.count - 1) }
      const [top, view] = [Math.min(scrolled, heightOf(list)), 430]
      const { begin, end } = windowOf(list, top, view)
      for (let index = 0; index < list.count; index++) {
        const from = topOf(list, index)
        const to = index === list.count - 1 ? heightOf(list) : topOf(list, index + 1)
        const seen = to > top && from < top + view
        if (seen) expect(index >= begin && index < end).toBe(true)
      }
      expect(end - begin).toBeLessThanOrEqual(Math.ceil(view / list.height) + 2 + 16)
    },
  )

  it('leave room for the open row', () => {
    const list = { count: 3, height: 32, openAt: 1, openExtra: 100 }
    expect([0, 1, 2].map(index => topOf(list, index))).toEqual([0, 32, 164])
    expect(heightOf(list)).toBe(196)
  })
})
