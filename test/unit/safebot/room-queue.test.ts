import { setImmediate as turn } from 'node:timers/promises'
import { expect, onTestFinished, test } from 'vitest'
import { RoomQueue } from '../../../servers/safebot/store/postgres/room-queue.js'
import { Clock } from '../../../shared/clock/clock.js'
import { until } from '../../support/until.js'

/** What of a store's database a queue of rooms needs: transactions that end when they are told to, and find no room. */
function startQueue() {
  const machine = new Clock({ mode: 'manual' })
  onTestFinished(() => machine.close())
  const ends: (() => void)[] = []
  const transactions: string[][] = []
  const tx = {
    failure: undefined,
    asked: [] as string[],
    async query(_: unknown, [roomId]: string[]) {
      this.asked.push(roomId ?? '')
      return [{ room_id: null, next_news: null, handle: null, seq: null }]
    },
    send: () => undefined,
  }
  const database = {
    machine,
    replica: 1,
    async transaction<T>(work: (given: typeof tx) => Promise<T>): Promise<T> {
      const own = { ...tx, asked: [] as string[] }
      const result = await work(own)
      transactions.push(own.asked)
      await new Promise<void>(resolve => ends.push(resolve))
      return result
    },
  }
  // @ts-expect-error: of a database it is given what it uses
  const queue = new RoomQueue(database, async () => {})
  const done: string[] = []
  const visit = (roomId: string) => void queue.run(roomId, async () => done.push(roomId), {})
  const endNext = async () => {
    await until(() => ends.length > 0)
    ends.shift()?.()
    await turn()
  }
  return { machine, transactions, visit, endNext, done }
}

test('what comes while a transaction is under way shares the next, in the order of the rooms', async () => {
  const { visit, endNext, transactions } = startQueue()
  for (const room of ['first', 'delta', 'alpha', 'delta', 'beta']) visit(room)
  await endNext()
  await until(() => transactions.length === 2)
  expect(transactions).toEqual([['first'], ['alpha', 'beta', 'delta']])
})

test('a room that is asked for without end does not keep others waiting', async () => {
  const { visit, endNext, transactions } = startQueue()
  visit('first')
  for (let nth = 0; nth < 100; nth++) visit('busy')
  visit('other')
  for (let nth = 0; nth < 3; nth++) await endNext()
  await until(() => transactions.length >= 3)
  expect(transactions.slice(0, 3).flat()).toContain('other')
})

test('one that takes long does not keep what comes behind it waiting, nor do as many more as may be slow', async () => {
  const { machine, visit, transactions } = startQueue()
  const rooms = ['one', 'two', 'three', 'four', 'five', 'six', 'seven']
  for (const [nth, room] of rooms.entries()) {
    visit(room)
    await until(() => transactions.length === nth + 1 || nth === 6)
    await machine.advance(20)
  }
  expect(transactions).toEqual(rooms.slice(0, 6).map(room => [room]))
})

test('when a slow one ends, what waits goes on though another is slow still', async () => {
  const { machine, visit, endNext, transactions } = startQueue()
  for (const room of ['one', 'two', 'three', 'four', 'five', 'six']) {
    visit(room)
    await turn()
    await machine.advance(20)
  }
  visit('seven')
  await endNext()
  await machine.advance(20)
  await until(() => transactions.length === 7)
  expect(transactions.at(-1)).toEqual(['seven'])
})
