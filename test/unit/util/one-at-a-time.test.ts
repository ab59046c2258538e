import { expect, it } from 'vitest'
import { OneAtATime } from '../../../shared/util/locks.js'

it('runs the work for one key in order, also after a failure, and does not delay other keys', async () => {
  const queue = new OneAtATime()
  const seen: string[] = []
  let release = () => {}
  const held = new Promise<void>(resolve => {
    release = resolve
  })
  const first = queue.run('a', async () => {
    await held
    seen.push('a1')
    throw new Error('no luck')
  })
  const second = queue.run('a', async () => seen.push('a2'))
  await queue.run('b', async () => seen.push('b'))
  release()
  await expect(first).rejects.toThrow('no luck')
  await second
  expect(seen).toEqual(['b', 'a1', 'a2'])
})
