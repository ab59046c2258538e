import { expect, test } from 'vitest'
import { JournalEntry } from '../../../shared/journal/entry.js'
import { JournalQueue } from '../../../shared/records/journal-queue.js'
import { arrival } from '../../support/arrival.js'

const entry = (seq: number, raw = '{}') =>
  new JournalEntry({ seq, instance: 'test', atMs: 0, startedMs: 0 }, arrival({ raw }))

test('waiting entries are written in order, in batches of limited size', () => {
  const queue = new JournalQueue()
  for (let seq = 1; seq <= 700; seq++) queue.add(entry(seq))
  const sizes: number[] = []
  for (let expected = 1; queue.size > 0; ) {
    const batch = queue.batch()
    for (const { seq } of batch.entries) expect(seq).toBe(expected++)
    sizes.push(batch.entries.length)
    queue.written(batch)
  }
  expect(sizes).toEqual([500, 200])
})

test('a body larger than the maximum of one write is written by itself', () => {
  const queue = new JournalQueue()
  for (const raw of ['{}', 'x'.repeat(3_000_000), '{}']) queue.add(entry(1, raw))
  const sizes: number[] = []
  while (queue.size > 0) {
    const batch = queue.batch()
    sizes.push(batch.entries.length)
    queue.written(batch)
  }
  expect(sizes).toEqual([1, 1, 1])
})

test('over the limit the latest entries are dropped, and counted until the count is written', () => {
  const queue = new JournalQueue()
  for (let seq = 1; seq <= 10_003; seq++) queue.add(entry(seq))
  expect([queue.size, queue.lost]).toEqual([10_000, 3])
  queue.written(queue.batch())
  expect([queue.size, queue.lost]).toEqual([9_500, 0])
})

test('a write that a clear overtakes removes no later entry', () => {
  const queue = new JournalQueue()
  queue.add(entry(1))
  const batch = queue.batch()
  queue.clear()
  queue.add(entry(2))
  queue.written(batch)
  expect(queue.batch().entries.map(({ seq }) => seq)).toEqual([2])
})
