import { expect } from 'vitest'
import { EMPTY_SUMMARY, NEVER_IDLE, type PartitionDump } from '../../../shared/records/partition.js'
import type { Records } from '../../../shared/records/records.js'
import type { Transaction } from '../../../shared/records/transaction.js'

const ONE = 'test/thing/one'
const TWO = 'test/thing/two'

const names = (tx: Transaction) => tx.table<unknown>('names')
const log = (tx: Transaction) => tx.list<string>('log')

/** Every character that a text of JavaScript may have, and what JSON makes of numbers. */
const UNUSUAL = [
  '\u0000',
  '\ud800 alone',
  'a "quoted" \\ one',
  '\\u0000',
  'naïve 🙂',
  '',
  0.1,
  null,
  { a: [1, 'b'] },
]

/** Cases that all records must pass: a title, and a run on empty records. */
export const RECORD_CASES: Readonly<Record<string, (records: Records) => Promise<void>>> = {
  'keeps values as they were, whatever characters they have': async records => {
    await records.transaction(ONE, tx => {
      for (const [at, value] of UNUSUAL.entries()) tx.list<unknown>('unusual').set(at + 1, value)
      names(tx).set('key "with" \\ quotes 🙂', UNUSUAL)
    })
    expect(await records.transaction(ONE, tx => [...tx.list<unknown>('unusual').values()])).toEqual(UNUSUAL)
    const again = await records.transaction(ONE, tx => names(tx).get('key "with" \\ quotes 🙂'))
    expect(again).toEqual(UNUSUAL)
  },

  'shows to a work what it has changed itself': async records => {
    await records.transaction(ONE, tx => {
      names(tx).set('a', 1)
      names(tx).set('b', 2)
      names(tx).delete('a')
      expect([names(tx).get('a'), names(tx).get('b'), names(tx).size]).toEqual([undefined, 2, 1])
      log(tx).set(5, 'five')
      log(tx).set(3, 'three')
      expect([log(tx).first, log(tx).lastNumber, log(tx).get(5)]).toEqual(['three', 5, 'five'])
    })
  },

  'lists records by number, behind any number that may be asked for': async records => {
    await records.transaction(ONE, tx => {
      for (const number of [4, 1, 10, 2]) log(tx).set(number, `no ${number}`)
    })
    const page = (after: number, limit: number) => records.transaction(ONE, tx => log(tx).after(after, limit))
    expect(await page(1, 2)).toEqual(['no 2', 'no 4'])
    expect(await page(2.5, 9)).toEqual(['no 4', 'no 10'])
    expect(await page(-7, 1)).toEqual(['no 1'])
    expect(await page(Number.POSITIVE_INFINITY, 9)).toEqual([])
    expect(await page(Number.NaN, 0)).toEqual([])
    const found = await records.transaction(ONE, tx => log(tx).find(2, value => value.endsWith('0')))
    expect(found).toBe('no 10')
  },

  'drops the changes of a work that throws, and nothing else': async records => {
    const before = await changed(records, tx => {
      names(tx).set('kept', 1)
      log(tx).set(1, 'kept')
      tx.summary = { open: true, entries: 1, bytes: 2, activeAt: 3 }
    })
    const failing = records.transaction(ONE, tx => {
      names(tx).set('kept', 2)
      names(tx).set('new', 2)
      names(tx).delete('kept')
      log(tx).delete(1)
      log(tx).set(2, 'new')
      tx.summary = EMPTY_SUMMARY
      throw new Error('changed my mind')
    })
    await expect(failing).rejects.toThrow('changed my mind')
    expect(await records.dump('test')).toEqual(before)
    expect(await records.totals('test/thing')).toEqual({ open: 1, entries: 1, bytes: 2 })
  },

  'refuses work that returns a promise': async records => {
    const later = records.transaction(ONE, async tx => names(tx).set('a', 1))
    await expect(later).rejects.toThrow('a transaction is synchronous')
    expect(await records.dump('test')).toEqual([])
  },

  'refuses to go on with a transaction that is over': async records => {
    const kept: Transaction[] = []
    await records.transaction(ONE, tx => void kept.push(tx))
    expect(() => names(kept[0] ?? fail())).toThrow('is over')
  },

  'runs works in a partition one after the other, none lost': async records => {
    const add = () =>
      records.transaction(ONE, tx => names(tx).set('count', Number(names(tx).get('count') ?? 0) + 1))
    await Promise.all(Array.from({ length: 50 }, add))
    expect(await records.transaction(ONE, tx => names(tx).get('count'))).toBe(50)
  },

  'refuses a key or a name that PostgreSQL cannot hold, and keeps nothing': async records => {
    for (const key of ['a\u0000b', '\ud800', 'k'.repeat(301)]) {
      const keyed = records.transaction(ONE, tx => {
        names(tx).set('fine', 1)
        names(tx).set(key, 1)
      })
      await expect(keyed).rejects.toMatchObject({ code: 'bad_record' })
      const named = records.transaction(`test/thing/${key}`, tx => names(tx).set('a', 1))
      await expect(named).rejects.toMatchObject({ code: 'bad_record' })
    }
    expect(await records.dump('test')).toEqual([])
  },

  'adds up what the partitions of a kind say of themselves': async records => {
    const open = (name: string, entries: number) =>
      records.transaction(
        name,
        tx => {
          names(tx).set('a', 1)
          tx.summary = { open: true, entries, bytes: 10 * entries, activeAt: entries }
          return tx.totals
        },
        { totals: true },
      )
    expect(await open(ONE, 1)).toEqual({ open: 1, entries: 1, bytes: 10 })
    expect(await open(TWO, 5)).toEqual({ open: 2, entries: 6, bytes: 60 })
    expect(await open(ONE, 2)).toEqual({ open: 2, entries: 7, bytes: 70 })
    await open('test/other/one', 100)
    expect(await records.totals('test/thing')).toEqual({ open: 2, entries: 7, bytes: 70 })
    expect(await records.partitions('test/thing')).toEqual([ONE, TWO])
    expect(await records.partitions('test/thing', 5)).toEqual([ONE])
    expect(await records.totals('test/none')).toEqual({ open: 0, entries: 0, bytes: 0 })
  },

  'has no partition without records': async records => {
    await changed(records, tx => {
      names(tx).set('a', 1)
      tx.summary = { open: true, entries: 7, bytes: 7, activeAt: 7 }
    })
    await records.transaction(ONE, tx => names(tx).clear())
    expect(await records.dump('test')).toEqual([])
    expect(await records.totals('test/thing')).toEqual({ open: 0, entries: 0, bytes: 0 })
    await records.transaction(ONE, tx => {
      expect(tx.summary).toEqual(EMPTY_SUMMARY)
      names(tx).set('b', 2)
    })
    expect((await records.dump('test'))[0]?.records).toEqual([['names', 'b', 2]])
  },

  'is exactly what it was replaced by, any number of times, and goes on from there': async records => {
    const state: PartitionDump[] = [
      {
        name: ONE,
        summary: { open: true, entries: 2, bytes: 3, activeAt: 4 },
        records: [
          ['log', '10', 'ten'],
          ['log', '9', 'nine'],
          ['names', 'a', { b: null }],
        ],
      },
      {
        name: TWO,
        summary: { open: false, entries: 0, bytes: 0, activeAt: NEVER_IDLE },
        records: [['names', 'c', 1]],
      },
    ]
    await records.transaction('test/gone/one', tx => names(tx).set('gone', 1))
    await records.transaction('elsewhere/thing/one', tx => names(tx).set('stays', 1))
    for (let time = 0; time < 2; time++) {
      await records.transaction(ONE, tx => names(tx).set('gone', 1))
      await records.replace('test', state)
      expect(await records.dump('test')).toEqual(state)
      expect(await records.totals('test/thing')).toEqual({ open: 1, entries: 2, bytes: 3 })
    }
    expect(await records.transaction(ONE, tx => [...log(tx).values()])).toEqual(['nine', 'ten'])
    expect(await records.transaction('test/gone/one', tx => names(tx).size)).toBe(0)
    expect(await records.transaction('elsewhere/thing/one', tx => names(tx).get('stays'))).toBe(1)
  },

  'refuses work that began before the state was replaced': async records => {
    const generation = await records.transaction(ONE, tx => tx.generation)
    const work = (tx: Transaction) => names(tx).set('a', 1)
    await records.transaction(ONE, work, { generation })
    await records.replace('test', [])
    const late = records.transaction(ONE, work, { generation })
    await expect(late).rejects.toMatchObject({ code: 'reset' })
    expect(await records.dump('test')).toEqual([])
    await records.transaction(ONE, work, { generation: await records.transaction(ONE, tx => tx.generation) })
  },

  'tells those who watch a partition of announcements in it, once they are committed': async records => {
    const heard: unknown[] = []
    const unwatch = records.watch(ONE, ({ own, detail }) => heard.push([own, detail]))
    await records.transaction(ONE, tx => names(tx).set('a', 1))
    await records.transaction(ONE, tx => {
      names(tx).set('a', 2)
      tx.announce('two')
    })
    await records
      .transaction(ONE, tx => {
        tx.announce('never')
        throw new Error('no')
      })
      .catch(() => undefined)
    await records.transaction(TWO, tx => tx.announce('elsewhere'))
    unwatch()
    await records.transaction(ONE, tx => tx.announce('unheard'))
    expect(heard).toEqual([[true, 'two']])
  },

  'runs work under a name alone, and lets the next in when it fails': async records => {
    const order: string[] = []
    const work = (name: string) =>
      records.alone('paint', async () => {
        order.push(`${name} begins`)
        await records.transaction(ONE, tx => names(tx).set(name, 1))
        order.push(`${name} ends`)
        if (name === 'one') throw new Error('out of paint')
      })
    const ended = await Promise.allSettled([work('one'), work('two')])
    expect(ended.filter(({ status }) => status === 'rejected')).toHaveLength(1)
    expect([order.slice(0, 2), order.slice(2)].toSorted()).toEqual([
      ['one begins', 'one ends'],
      ['two begins', 'two ends'],
    ])
  },
}

/** Changes {@link ONE}. @returns all there is then */
async function changed(records: Records, work: (tx: Transaction) => void): Promise<PartitionDump[]> {
  await records.transaction(ONE, work)
  return records.dump('test')
}

function fail(): never {
  throw new Error('there is none')
}
