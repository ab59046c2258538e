import { describe, expect, it } from 'vitest'
import { startControlled } from '../../support/clients/control.js'
import { ok } from '../../support/servers/understudy.js'

const START = Date.parse('2026-01-01T00:00:00Z')

describe('the clock, over HTTP', () => {
  it('is shown, and advances until all due work has run', async () => {
    const { control, u, databases } = await startControlled()
    expect(await control.clock.get()).toEqual({
      mode: 'manual',
      now: '2026-01-01T00:00:00.000Z',
      nowMs: START,
    })
    await ok(await u.instanode.connect(), 'create_postgres', { name: 'short-lived' })
    const later = await control.clock.advance(24 * 3_600_000)
    expect(later).toEqual({ mode: 'manual', now: '2026-01-02T00:00:00.000Z', nowMs: START + 86_400_000 })
    expect(databases.dropped).toHaveLength(1)
  })

  it('accepts the time that it has returned', async () => {
    const { control, ask, u } = await startControlled()
    const noted = await ask('GET', '/clock')
    await control.clock.advance(1000)
    expect((await ask('PUT', '/clock', noted.json)).json).toEqual(noted.json)
    expect(u.clock.now()).toBe(START)
  })

  it('changes its mode, and goes back by becoming manual', async () => {
    const { control } = await startControlled({ clock: 'real' })
    expect((await control.clock.get()).mode).toBe('real')
    await expect(control.clock.set({ now: 0 })).rejects.toMatchObject({
      status: 409,
      code: 'clock_backwards',
    })
    expect(await control.clock.set({ mode: 'manual', now: '2026-01-01T02:00:00+02:00' })).toMatchObject({
      mode: 'manual',
      nowMs: START,
    })
  })
})
