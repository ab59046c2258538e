import { describe, expect, it } from 'vitest'
import { startControlled } from '../../support/clients/control.js'
import { createPostgres, FREE, listed } from '../../support/servers/instanode.js'
import { ok } from '../../support/servers/understudy.js'

describe('snapshots, over HTTP', () => {
  it('can be taken, restored several times, and deleted', async () => {
    const { control, u } = await startControlled()
    const agent = await u.instanode.connect({ token: FREE })
    await createPostgres(agent, 'kept')
    const taken = await control.snapshot()
    expect(taken).toEqual({ id: 'snapshot-1', at: '2026-01-01T00:00:00.000Z', wall: expect.any(String) })
    const before = (await control.state()).instanode
    for (const name of ['lost', 'lost, too']) {
      await createPostgres(agent, name)
      await control.clock.advance(5000)
      expect(await control.restore(taken)).toMatchObject({ now: '2026-01-01T00:00:00.000Z' })
      expect((await control.state()).instanode).toEqual(before)
    }
    const later = await control.snapshot()
    expect((await control.snapshots()).map(({ id }) => id)).toEqual(['snapshot-1', 'snapshot-2'])
    await control.deleteSnapshot(taken)
    expect(await control.snapshots()).toEqual([later])
    await expect(control.restore(taken)).rejects.toMatchObject({
      ...{ status: 404, code: 'unknown_snapshot', hint: 'there are snapshot-2' },
    })
    await expect(control.deleteSnapshot(taken)).rejects.toMatchObject({ status: 404 })
  })

  it('contain plans and the limits of the plans', async () => {
    const { control, u } = await startControlled()
    const agent = await u.instanode.connect({ token: FREE })
    await createPostgres(agent)
    const before = await listed(agent)
    const taken = await control.snapshot()
    await control.setPlan('acct_free', 'paid')
    await control.restore(taken)
    expect(await listed(agent)).toEqual(before)
    expect((await control.state()).instanode?.accounts).toContainEqual({
      ...{ id: 'acct_free', plan: 'free', token: '[masked]' },
    })
  })

  it('are at most one hundred', async () => {
    const { control } = await startControlled()
    for (let count = 0; count < 100; count++) await control.snapshot()
    await expect(control.snapshot()).rejects.toMatchObject({ status: 409, code: 'too_many_snapshots' })
  })
})

describe('a reset, over HTTP', () => {
  it('restores the beginning, or loads another world', async () => {
    const { control, u } = await startControlled()
    const { url } = await ok(await u.safebot.connect(), 'create_room')
    await ok(await u.safebot.connect(), 'send_message', { url, text: 'gone' })
    await control.clock.advance(1000)
    expect(await control.reset()).toMatchObject({ mode: 'manual', now: '2026-01-01T00:00:00.000Z' })
    expect((await control.state()).safebot?.rooms).toEqual([])
    await control.reset({ world: 'empty' })
    expect((await control.state()).instanode?.accounts).toEqual([])
    await control.reset({ world: { accounts: [] } })
    await control.reset()
    expect((await control.state()).instanode?.accounts).toHaveLength(3)
  })

  it.each(['/etc/passwd', '/dev/zero', './fixtures/worlds/empty.json', '../worlds/empty', 'empty.json'])(
    'refuses a world that is a path: %s',
    async world => {
      const { control } = await startControlled()
      await expect(control.reset({ world })).rejects.toMatchObject({
        status: 400,
        code: 'unknown_world',
        message: expect.stringContaining(`there is no world "${world}"`),
        hint: 'there are busy, default, empty, multi-tenant, near-limits; or send the world itself, as an object',
      })
    },
  )

  it.each([['atlantis'], [{ acounts: [] }]])('changes nothing if the world is invalid: %j', async world => {
    const { control, u } = await startControlled()
    await createPostgres(await u.instanode.connect())
    await expect(control.reset({ world })).rejects.toMatchObject({ status: 400, code: /_world$/ })
    expect((await control.state()).instanode?.resources).toHaveLength(1)
  })
})
