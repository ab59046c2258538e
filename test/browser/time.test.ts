import type { Route } from 'playwright-core'
import { describe, expect, it } from 'vitest'
import { RecordingDatabases } from '../support/databases/recording-databases.js'
import { createPostgres, createWebhook } from '../support/servers/instanode.js'
import { ok, startUnderstudy } from '../support/servers/understudy.js'
import { openPage } from './support/open-page.js'

describe('time', () => {
  it('is the time of the instance’s clock, and does not change while the clock stands still', async () => {
    const u = await startUnderstudy()
    const page = await openPage(u.control.url)
    await page.getByText('2026-01-01 00:00:00').waitFor()
    await page.getByRole('button', { name: '+1 s' }).click()
    await page.getByRole('button', { name: '+1 h' }).click()
    await page.getByText('2026-01-01 01:00:01', { exact: true }).waitFor()
    expect(u.clock.now()).toBe(Date.parse('2026-01-01T01:00:01Z'))
  })

  it('runs, and can be paused', async () => {
    const u = await startUnderstudy()
    const page = await openPage(u.control.url)
    await page.getByRole('button', { name: 'Run' }).click()
    await page.getByText('UTC, running').waitFor()
    expect(u.clock.mode).toBe('real')
    await page.getByText('2026-01-01 00:00:01', { exact: true }).waitFor()
    await page.getByRole('button', { name: 'Pause' }).click()
    await page.getByText('UTC, paused').waitFor()
    expect(u.clock.mode).toBe('manual')
  })

  it('shows the redelivery of a task 60 seconds after its worker crashed', async () => {
    const u = await startUnderstudy()
    const [asker, worker] = [
      await u.safebot.connect({ handle: 'asker' }),
      await u.safebot.connect({ handle: 'worker' }),
    ]
    const { url, room_id } = await ok(asker, 'create_room')
    await ok(asker, 'send_message', { url, text: 'build main' })
    await ok(worker, 'claim_task', { url })
    const page = await openPage(u.control.url)
    const room = page.getByRole('article', { name: `Room ${room_id}` })
    await room.getByText('1 min to redelivery').waitFor()
    await page.getByRole('button', { name: '+1 s' }).click()
    await room.getByText('59 s to redelivery').waitFor()
    await page.getByRole('button', { name: '+60 s' }).click()
    await room.getByText('no lease').waitFor()
    await room.getByLabel('1 leases: 0 acknowledged, 1 expired').waitFor()
    const { task } = await ok(worker, 'claim_task', { url })
    expect(task).toMatchObject({ text: 'build main' })
    await room.getByText('1 min to redelivery').waitFor()
    await room.getByLabel('2 leases: 0 acknowledged, 1 expired, 1 held now, 1 redelivered').waitFor()
    await room.getByText('show as a table').click()
    await room.getByRole('row', { name: /worker \d+ redelivered/ }).waitFor()
  })

  it('is marked on the timeline of leases while a lease is held', async () => {
    const u = await startUnderstudy()
    const [asker, worker] = [
      await u.safebot.connect({ handle: 'asker' }),
      await u.safebot.connect({ handle: 'worker' }),
    ]
    const { url } = await ok(asker, 'create_room')
    await ok(asker, 'send_message', { url, text: 'build main' })
    await ok(worker, 'claim_task', { url })
    await u.clock.advance(30_000)
    const page = await openPage(u.control.url)
    const mark = page.locator('.timeline-now line')
    await page.getByText('now', { exact: true }).waitFor()
    const held = await page.locator('.lease-held').boundingBox()
    const [at = Number.NaN, end] = [(await mark.boundingBox())?.x, (held?.x ?? 0) + (held?.width ?? 0)]
    expect(Math.abs(at - end)).toBeLessThanOrEqual(1)
    await page.getByRole('button', { name: '+60 s' }).click()
    await mark.waitFor({ state: 'detached' })
  })

  it('shows every lease, also a lease that begins while the page reads another', async () => {
    const u = await startUnderstudy()
    const asker = await u.safebot.connect({ handle: 'asker' })
    const { url, room_id } = await ok(asker, 'create_room')
    await ok(asker, 'send_message', { url, text: 'build main' })
    const page = await openPage(u.control.url)
    const claimAs = async (handle: string) => ok(await u.safebot.connect({ handle }), 'claim_task', { url })
    const heldUp = async (route: Route) => {
      await claimAs('second')
      await page.getByRole('row').filter({ hasText: 'second' }).first().waitFor()
      await route.continue()
    }
    await page.route('**/journal/entries/*', heldUp, { times: 1 })
    await claimAs('first')
    const room = page.getByRole('article', { name: `Room ${room_id}` })
    await room.getByLabel('2 leases: 0 acknowledged, 0 expired, 2 held now').waitFor()
  })

  it('removes unclaimed resources after a day', async () => {
    const u = await startUnderstudy({ databases: new RecordingDatabases() })
    const agent = await u.instanode.connect()
    await createPostgres(agent, 'scratch')
    await createWebhook(agent)
    const page = await openPage(u.control.url)
    const database = page.getByRole('article', { name: 'Database scratch' })
    await database.getByText('1 d left').waitFor()
    await page.getByRole('button', { name: '+1 h' }).click()
    await database.getByText('23 h left').waitFor()
    await page.getByRole('button', { name: '+24 h' }).click()
    await page.getByText('There are no databases yet').waitFor()
    await page.getByText('There are no receivers yet').waitFor()
    expect(await page.getByRole('article').count()).toBe(0)
  })
})
