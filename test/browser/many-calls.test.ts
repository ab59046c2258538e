import type { CDPSession } from 'playwright-core'
import { expect, it } from 'vitest'
import { arrival } from '../support/arrival.js'
import { send } from '../support/raw-http.js'
import { startUnderstudy } from '../support/understudy.js'
import { openPage } from './support/open-page.js'

const CALLS = 10_000

/** What a display gives a frame: of the processor's time, which others on the machine do not take away. */
const FRAME_MS = 1000 / 60

/** Of the time that passes they do take away; a list that drew all of its rows would be far beyond these. */
const SLOW_FRAME_MS = 120
const LONG_TASK_MS = 400

/** The processor's time that the page has had for its tasks, in milliseconds. */
async function taskMs(cdp: CDPSession): Promise<number> {
  const { metrics } = await cdp.send('Performance.getMetrics')
  return (metrics.find(({ name }) => name === 'TaskDuration')?.value ?? Number.NaN) * 1000
}

it('scrolls through ten thousand calls smoothly, drawing those that are seen', async () => {
  const u = await startUnderstudy()
  for (let count = 0; count < CALLS; count++) {
    u.journal.close(
      u.journal.open(arrival({ caller: `agent-${count % 7}`, raw: '{"jsonrpc":"2.0"}' })),
      'ok',
      12,
    )
  }
  const page = await openPage(u.control.url)
  await page.getByText('10,000 calls reached the servers').waitFor()
  const rows = page.locator('.calls-body .call-row')
  expect(await rows.count()).toBeLessThan(60)

  const cdp = await page.context().newCDPSession(page)
  await cdp.send('Performance.enable', { timeDomain: 'threadTicks' })
  const before = await taskMs(cdp)
  const { frames, tasks, mostRows, seen } = await page.evaluate(async longTaskMs => {
    const body = document.querySelector('.calls-body')
    if (body === null) throw new Error('there is no list')
    const tasks: number[] = []
    const observer = new PerformanceObserver(list => {
      for (const { duration } of list.getEntries()) if (duration > longTaskMs) tasks.push(duration)
    })
    observer.observe({ entryTypes: ['longtask'] })
    const frame = () => new Promise<number>(resolve => requestAnimationFrame(resolve))
    const frames: number[] = []
    const seen = new Set<string>()
    let mostRows = 0
    let last = await frame()
    const steps = 180
    for (let step = 1; step <= steps; step++) {
      body.scrollTop = (body.scrollHeight * step) / steps
      const now = await frame()
      frames.push(now - last)
      last = now
      const drawn = body.querySelectorAll('.call-row')
      mostRows = Math.max(mostRows, drawn.length)
      for (const row of drawn) seen.add(row.getAttribute('aria-rowindex') ?? '')
    }
    observer.disconnect()
    return { frames, tasks, mostRows, seen: seen.size }
  }, LONG_TASK_MS)

  const perFrame = ((await taskMs(cdp)) - before) / frames.length
  const sorted = frames.toSorted((one, other) => one - other)
  expect(mostRows).toBeLessThan(60)
  expect(seen).toBeGreaterThan(2000)
  expect(perFrame).toBeGreaterThan(0)
  expect(perFrame).toBeLessThan(FRAME_MS)
  expect(sorted[Math.floor(sorted.length * 0.95)]).toBeLessThan(SLOW_FRAME_MS)
  expect(tasks).toEqual([])
  // The oldest is the last row, and it is there.
  await page.locator('[data-seq="1"]').waitFor()
})

it('leaves whoever has scrolled down where he is while more calls come', async () => {
  const u = await startUnderstudy()
  const take = (count: number, caller: string) => {
    for (let at = 0; at < count; at++) u.journal.close(u.journal.open(arrival({ caller })), 'ok')
  }
  take(500, 'early')
  const page = await openPage(u.control.url)
  await page.getByText('500 calls reached the servers').waitFor()
  const body = page.locator('.calls-body')
  await body.evaluate(element => {
    element.scrollTop = 3200
  })
  const row = page.locator('[data-seq="390"]')
  const before = (await row.boundingBox())?.y
  take(100, 'late')
  await page.getByText('600 calls reached the servers').waitFor()
  expect((await row.boundingBox())?.y).toBe(before)
  expect(before).toBeGreaterThan(0)
})

it('draws twenty rooms of very many, those that were active last', async () => {
  const u = await startUnderstudy()
  const sealed = { ciphertext: 'c2VhbGVk', nonce: 'A'.repeat(32), sender: 'curl' }
  for (let room = 1; room <= 60; room++) {
    await send(`${u.safebot.apiUrl}/api/rooms/room-${room}/messages`, { body: sealed })
    await u.clock.advance(1000)
  }
  const page = await openPage(u.control.url)
  await page.getByText('20 of 60 rooms, the latest').waitFor()
  expect(await page.getByRole('article').count()).toBe(20)
  await page.getByRole('article', { name: 'Room room-60' }).waitFor()
})

it('draws the traffic of the twenty busiest tools, each with the most of it in a second', async () => {
  const u = await startUnderstudy()
  const take = (tool: string) => u.journal.close(u.journal.open(arrival({ tool })), 'ok')
  for (let tool = 1; tool <= 30; tool++) take(`tool-${tool}`)
  take('tool-30')
  const page = await openPage(u.control.url)
  const traffic = page.getByRole('region', { name: 'Traffic' })
  await traffic.getByText('20 of 30 lines, the busiest').waitFor()
  const lines = traffic.getByRole('listitem')
  expect(await lines.count()).toBe(20)
  expect(await lines.first().locator('.rate-peak').innerText()).toMatch(/^≤ [12]\/s$/)
  expect(await lines.first().innerText()).toContain('tool-30')
})
