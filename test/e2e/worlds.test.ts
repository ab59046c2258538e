import { describe, expect, it } from 'vitest'
import { createWebhook, FREE, listed, PAID } from '../support/instanode.js'
import { createRoom, say, transcript } from '../support/room.js'
import { startUnderstudy } from '../support/understudy.js'

describe('reset', () => {
  it('goes back to the beginning, and the same calls give the same ids again', async () => {
    const understudy = await startUnderstudy()
    const account = await understudy.instanode.connect({ token: PAID })
    const agent = await understudy.safebot.connect({ handle: 'worker' })
    const live = async () => {
      const { token } = await createWebhook(account)
      const url = await createRoom(agent)
      await say(agent, url, 'hello')
      await understudy.clock.advance(1000)
      return { token, url, said: await transcript(agent, url), now: understudy.clock.now() }
    }
    const first = await live()
    await understudy.reset()
    expect(await listed(account)).toEqual([])
    expect(understudy.journal.entries().map(({ tool }) => tool)).toEqual(['list_resources'])
    expect(await live()).toEqual(first)
  })

  it('goes to another world by its name', async () => {
    const understudy = await startUnderstudy()
    await understudy.reset({ world: 'empty' })
    expect(await understudy.instanode.accounts()).toEqual([])
    await understudy.reset()
    expect((await understudy.instanode.accounts()).map(({ fixedToken }) => fixedToken)).toContain(FREE)
  })
})

describe('a snapshot', () => {
  it('brings back what there was', async () => {
    const understudy = await startUnderstudy()
    const account = await understudy.instanode.connect({ token: PAID })
    await createWebhook(account, 'kept')
    const snapshot = await understudy.snapshot()
    await createWebhook(account, 'not kept')
    await understudy.clock.advance(1000)
    await understudy.restore(snapshot)
    expect((await listed(account)).map(({ name }) => name)).toEqual(['kept'])
    expect(understudy.clock.now()).toBe(snapshot.at)
  })
})
