import { expect, vi } from 'vitest'
import { Notices } from '../../../shared/records/notices.js'
import type { Records } from '../../../shared/records/records.js'
import type { Transaction } from '../../../shared/records/transaction.js'
import { Watches } from '../../../shared/records/watches.js'
import { until } from '../../support/until.js'

const ONE = 'test/thing/one'

const names = (tx: Transaction) => tx.table<unknown>('names')
const log = (tx: Transaction) => tx.list<string>('log')

/** Cases for two replicas on one store: a title, and a run on an empty store. `cut` breaks every connection to the store. */
export const REPLICA_CASES: Readonly<
  Record<string, (one: Records, two: Records, cut: () => Promise<unknown>) => Promise<void>>
> = {
  'see what the other has changed, added and deleted': async (one, two) => {
    await one.transaction(ONE, tx => {
      for (const key of ['a', 'b', 'c']) names(tx).set(key, key)
    })
    expect(await two.transaction(ONE, tx => [...names(tx).keys()].toSorted())).toEqual(['a', 'b', 'c'])
    await two.transaction(ONE, tx => {
      names(tx).delete('a')
      names(tx).set('b', 'two')
      log(tx).set(1, 'two')
    })
    expect(await one.transaction(ONE, tx => [...names(tx).entries()].toSorted())).toEqual([
      ['b', 'two'],
      ['c', 'c'],
    ])
    expect(await one.transaction(ONE, tx => log(tx).first)).toBe('two')
  },

  'tell a value that is null from a deleted record': async (one, two) => {
    await one.transaction(ONE, tx => {
      names(tx).set('null', null)
      names(tx).set('deleted', 1)
    })
    const seen = () => two.transaction(ONE, tx => [...names(tx).entries()].toSorted())
    expect(await seen()).toEqual([
      ['deleted', 1],
      ['null', null],
    ])
    await one.transaction(ONE, tx => names(tx).delete('deleted'))
    expect(await seen()).toEqual([['null', null]])
  },

  'run works in a partition one after the other, none lost': async (one, two) => {
    const add = (records: Records) =>
      records.transaction(ONE, tx => names(tx).set('count', Number(names(tx).get('count') ?? 0) + 1))
    await Promise.all(Array.from({ length: 40 }, (_, nth) => add(nth % 2 === 0 ? one : two)))
    expect(await one.transaction(ONE, tx => names(tx).get('count'))).toBe(40)
  },

  'notice that a partition was removed and made again': async (one, two) => {
    await one.transaction(ONE, tx => names(tx).set('old', 1))
    await two.transaction(ONE, tx => names(tx).clear())
    await two.transaction(ONE, tx => names(tx).set('new', 1))
    expect(await one.transaction(ONE, tx => [...names(tx).keys()])).toEqual(['new'])
  },

  'read a partition anew whose deleted records are no longer known': async (one, two) => {
    await one.transaction(ONE, tx => {
      for (let number = 1; number <= 800; number++) log(tx).set(number, 'x')
    })
    await two.transaction(ONE, tx => log(tx).size)
    // Each deletes one and adds one: more of them than tombstones are kept.
    for (let number = 1; number <= 700; number++) {
      await one.transaction(ONE, tx => {
        log(tx).delete(number)
        log(tx).set(number + 800, 'y')
      })
    }
    const seen = (records: Records) =>
      records.transaction(ONE, tx => [log(tx).size, log(tx).firstNumber, log(tx).lastNumber])
    expect(await two.transaction(ONE, tx => log(tx).size)).toBe(800)
    expect(await seen(two)).toEqual(await seen(one))
  },

  'follow a state that the other has put in place, and are told once': async (one, two) => {
    let told = 0
    two.onReplaced(() => told++)
    let own = 0
    one.onReplaced(() => own++)
    await one.transaction(ONE, tx => names(tx).set('before', 1))
    await two.transaction(ONE, tx => names(tx).set('before', 2))
    await one.replace('test', [])
    await until(() => told === 1)
    expect(await two.transaction(ONE, tx => names(tx).size)).toBe(0)
    expect([told, own]).toEqual([1, 0])
  },

  'that replace the state at once: one wins, and both are the same': async (one, two) => {
    const state = (key: string) => [
      {
        name: ONE,
        summary: { open: true, entries: 1, bytes: 1, activeAt: 1 },
        records: [['names', key, 1] as const],
      },
    ]
    await Promise.all([one.replace('test', state('one')), two.replace('test', state('two'))])
    expect(await one.dump('test')).toEqual(await two.dump('test'))
    const keys = (records: Records) => records.transaction(ONE, tx => [...names(tx).keys()])
    expect(await keys(one)).toEqual(await keys(two))
  },

  'know which of them live': async (one, two) => {
    const live = () =>
      one.transaction(ONE, tx => [...tx.replicas].toSorted(), { idleBefore: Number.POSITIVE_INFINITY })
    expect(await live()).toEqual([one.replica, two.replica])
  },

  'hear of announcements by a notice, before any poll': async (one, two) => {
    vi.spyOn(Watches.prototype, 'poll').mockResolvedValue(undefined)
    const heard: unknown[] = []
    two.watch(ONE, news => heard.push(news))
    two.watchKind('test/thing', (id, detail) => heard.push(`${id} ${detail}`))
    await one.transaction(ONE, tx => {
      names(tx).set('a', 1)
      tx.announce('with words')
    })
    await until(() => heard.length === 2)
    expect(heard).toContainEqual({ own: false, detail: 'with words' })
    expect(heard).toContain('one with words')
  },

  'find an announcement whose notice was lost': async (one, two) => {
    const heard: unknown[] = []
    two.watch(ONE, news => heard.push(news))
    await two.transaction(ONE, tx => names(tx).size)
    const lost = vi.spyOn(Notices.prototype, 'noticeOf').mockReturnValue('0 nothing ')
    await one.transaction(ONE, tx => {
      names(tx).set('a', 1)
      tx.announce()
    })
    lost.mockRestore()
    await until(() => heard.length === 1)
    expect(heard).toEqual([{ own: false, detail: undefined }])
  },

  'go on when every connection was cut': async (one, two, cut) => {
    await one.transaction(ONE, tx => names(tx).set('a', 1))
    await cut()
    // Until its lock is back, a replica may not find itself among those that live.
    const live = (tx: Transaction) => tx.replicas.length
    expect(await one.transaction(ONE, live, { idleBefore: Number.POSITIVE_INFINITY })).toBeLessThan(3)
    await two.transaction(ONE, tx => names(tx).set('b', 1))
    expect(await one.transaction(ONE, tx => [...names(tx).keys()].toSorted())).toEqual(['a', 'b'])
  },

  'keep nothing of a record that is too large, and go on': async (one, two) => {
    const large = one.transaction(ONE, tx => {
      names(tx).set('small', 1)
      names(tx).set('large', 'x'.repeat(17 * 1024 * 1024))
    })
    await expect(large).rejects.toMatchObject({
      code: 'bad_record',
      message: expect.stringContaining('large'),
    })
    expect(await two.transaction(ONE, tx => names(tx).size)).toBe(0)
    await one.transaction(ONE, tx => names(tx).set('small', 2))
    expect(await two.transaction(ONE, tx => names(tx).get('small'))).toBe(2)
  },
}
