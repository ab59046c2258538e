import { expect, it } from 'vitest'
import { RwLock } from '../../../shared/util/locks.js'

/** A piece of work that notes when it begins and ends, and ends when it is told to. */
function piece(log: string[], name: string) {
  let end = () => {}
  const ended = new Promise<void>(resolve => {
    end = resolve
  })
  const work = async () => {
    log.push(`${name} begins`)
    await ended
    log.push(`${name} ends`)
  }
  return { work, end }
}

const turn = () => new Promise(resolve => setImmediate(resolve))

it('runs shared work concurrently; exclusive work waits for it, and later work waits for the exclusive work', async () => {
  const [lock, log]: [RwLock, string[]] = [new RwLock(), []]
  const [one, two, alone, late] = ['one', 'two', 'alone', 'late'].map(name => piece(log, name))
  if (!one || !two || !alone || !late) throw new Error('there are four')
  const done = [
    lock.shared(one.work),
    lock.shared(two.work),
    lock.exclusive(alone.work),
    lock.shared(late.work),
  ]
  await turn()
  expect(log).toEqual(['one begins', 'two begins'])
  for (const { end } of [one, two]) end()
  await turn()
  expect(log.at(-1)).toBe('alone begins')
  for (const { end } of [alone, late]) end()
  await Promise.all(done)
  expect(log.slice(-4)).toEqual(['alone begins', 'alone ends', 'late begins', 'late ends'])
})

it('runs exclusive work one after another', async () => {
  const lock = new RwLock()
  const log: number[] = []
  await Promise.all(
    [1, 2, 3].map(nth =>
      lock.exclusive(async () => {
        log.push(nth)
        await turn()
        log.push(nth)
      }),
    ),
  )
  expect(log).toEqual([1, 1, 2, 2, 3, 3])
})

it('opens again after work that fails, shared or exclusive', async () => {
  const lock = new RwLock()
  const fail = () => Promise.reject(new Error('failed'))
  await expect(lock.shared(fail)).rejects.toThrow('failed')
  await expect(lock.exclusive(fail)).rejects.toThrow('failed')
  lock.extendShared(Promise.reject(new Error('failed later')))
  expect(await lock.exclusive(async () => 'alone')).toBe('alone')
  expect(await lock.shared(async () => 'inside')).toBe('inside')
})

it('waits for work that outlives its start', async () => {
  const [lock, log]: [RwLock, string[]] = [new RwLock(), []]
  const rest = piece(log, 'rest')
  await lock.shared(async () => lock.extendShared(rest.work()))
  const alone = lock.exclusive(async () => void log.push('alone'))
  await turn()
  expect(log).toEqual(['rest begins'])
  rest.end()
  await alone
  expect(log).toEqual(['rest begins', 'rest ends', 'alone'])
})
