import { describe, expect, it } from 'vitest'
import { createRoom, say, transcript } from '../../support/clients/room.js'
import { createWebhook, DAY, FREE, listed, PAID } from '../../support/servers/instanode.js'
import { ok, refused, startUnderstudy } from '../../support/servers/understudy.js'
import { dumpOf } from '../../support/servers/world.js'

describe('reset', () => {
  it('restores the beginning, and the same calls give the same ids again', async () => {
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

  it('gives a new session no handle of an open session', async () => {
    const understudy = await startUnderstudy()
    const handleOf = async () => {
      const agent = await understudy.safebot.connect()
      const url = await createRoom(agent)
      await say(agent, url, 'x')
      return Object(
        await ok(agent, 'claim_task', { url: await createRoom(agent), timeout_seconds: 1 }).catch(() => ({})),
      ).handle
    }
    const claiming = async () => {
      const handle = handleOf()
      await understudy.clock.whenPending(1)
      await understudy.clock.advance(1000)
      return handle
    }
    const first = await claiming()
    await understudy.reset()
    expect(await claiming()).not.toBe(first)
  })

  it('removes faults and overlays, and returns an advanced real clock to the machine’s time', async () => {
    const understudy = await startUnderstudy({ clock: 'real' })
    const began = understudy.clock.now()
    understudy.faults.set([{ server: 'safebot', tool: '*', when: { always: true }, do: { toolError: 'x' } }])
    understudy.catalogue.set([{ server: 'safebot', tool: 'ack_task', do: { hide: true } }])
    await understudy.clock.advance(DAY)
    await understudy.reset()
    expect([understudy.faults.list(), understudy.catalogue.list()]).toEqual([[], []])
    expect(understudy.clock.now() - began).toBeLessThan(DAY)
  })

  it('loads another world, and the first world again', async () => {
    const understudy = await startUnderstudy()
    await understudy.reset({ world: 'empty' })
    expect(await understudy.instanode.accounts()).toEqual([])
    await understudy.reset()
    expect((await understudy.instanode.accounts()).map(({ fixedToken }) => fixedToken)).toContain(FREE)
  })

  it('makes tools say that the account is unknown if the new world has no such account', async () => {
    const understudy = await startUnderstudy()
    const account = await understudy.instanode.connect({ token: PAID })
    await understudy.reset({ world: 'empty' })
    expect(await refused(account, 'list_resources')).toContain('This world has no such account')
  })

  it('is completed when the instance is closed during it; a later one is refused', async () => {
    const understudy = await startUnderstudy()
    const resets = [understudy.reset(), understudy.reset()].map(reset =>
      reset.then(
        () => 'done',
        error => error.code,
      ),
    )
    await new Promise(resolve => setImmediate(resolve))
    await understudy.close()
    await expect(understudy.reset()).rejects.toMatchObject({ code: 'instance_closed' })
    expect((await Promise.all(resets))[0]).toBe('done')
  })

  it('needs no more memory each time: the last of many leaves what the first did', async () => {
    const understudy = await startUnderstudy()
    const agent = await understudy.safebot.connect({ handle: 'agent' })
    const first = await dumpOf(understudy)
    for (let nth = 0; nth < 200; nth++) {
      await say(agent, await createRoom(agent), 'hello')
      await understudy.reset()
    }
    expect(await dumpOf(understudy)).toBe(first)
    expect([understudy.clock.pending, understudy.journal.entries().length]).toEqual([0, 0])
  })
})
