import type { CDPSession, Page } from 'playwright-core'
import { expect, it } from 'vitest'
import { arrival } from '../support/arrival.js'
import { send } from '../support/clients/raw-http.js'
import { startUnderstudy } from '../support/servers/understudy.js'
import { openPage } from './support/open-page.js'

/** A long list, which is slow if every row is drawn, and a short list to compare it with. */
const [MANY, FEW] = [10_000, 500]

/** Maximum ratio of the work for the two lists. Work that grows with the list would have a ratio of 20. */
const SAME_WORK = 4

/** Returns the processor time of the page's tasks, in milliseconds. */
async function taskMs(cdp: CDPSession): Promise<number> {
  const { metrics } = await cdp.send('Performance.getMetrics')
  return (metrics.find(({ name }) => name === 'TaskDuration')?.value ?? Number.NaN) * 1000
}

/** Opens the page of an instance with a number of calls. */
async function pageWithCalls(count: number): Promise<Page> {
  const u = await startUnderstudy()
  for (let nth = 0; nth < count; nth++) {
    u.journal.close(
      u.journal.open(arrival({ caller: `agent-${nth % 7}`, raw: '{"jsonrpc":"2.0"}' })),
      'ok',
      12,
    )
  }
  const page = await openPage(u.control.url)
  await page.getByText(`${count.toLocaleString('en')} calls reached the servers`).waitFor()
  return page
}

/** Scrolls by two screens in each of 180 frames, and back up if the list is at its end. */
async function scroll(page: Page) {
  const cdp = await page.context().newCDPSession(page)
  // Processor time does not depend on other programs.
  await cdp.send('Performance.enable', { timeDomain: 'threadTicks' })
  const before = await taskMs(cdp)
  const drawn = await page.evaluate(async () => {
    const body = document.querySelector('.log-body')
    if (body === null) throw new Error('there is no list')
    const seen = new Set<string>()
    let mostRows = 0
    const way = body.scrollHeight - body.clientHeight
    for (let step = 1; step <= 180; step++) {
      const at = (step * 2 * body.clientHeight) % (2 * way)
      body.scrollTop = at < way ? at : 2 * way - at
      await new Promise(resolve => requestAnimationFrame(resolve))
      const rows = body.querySelectorAll('.call-row')
      mostRows = Math.max(mostRows, rows.length)
      for (const row of rows) seen.add(row.getAttribute('aria-rowindex') ?? '')
    }
    return { mostRows, seen: seen.size }
  })
  return { ...drawn, ms: (await taskMs(cdp)) - before }
}

it('draws only the visible rows of ten thousand calls, and scrolls as fast as through five hundred', async () => {
  const [few, many] = [await pageWithCalls(FEW), await pageWithCalls(MANY)]
  const reference = await scroll(few)
  const { mostRows, seen, ms } = await scroll(many)
  expect(mostRows).toBeLessThan(60)
  expect(seen).toBeGreaterThan(2000)
  expect(reference.ms).toBeGreaterThan(0)
  expect(ms / reference.ms).toBeLessThan(SAME_WORK)
  await many.locator('.log-body').evaluate(body => {
    body.scrollTop = body.scrollHeight
  })
  // The last row is the oldest call.
  await many.locator('[data-seq="1"]').waitFor()
})

it('keeps the scroll position while more calls arrive', async () => {
  const u = await startUnderstudy()
  const take = (count: number, caller: string) => {
    for (let at = 0; at < count; at++) u.journal.close(u.journal.open(arrival({ caller })), 'ok')
  }
  take(500, 'early')
  const page = await openPage(u.control.url)
  await page.getByText('500 calls reached the servers').waitFor()
  const body = page.locator('.log-body')
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

it('draws the twenty rooms that were active last', async () => {
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

it('draws the traffic of the twenty busiest tools, each with its busiest second', async () => {
  const u = await startUnderstudy()
  const take = (tool: string) => u.journal.close(u.journal.open(arrival({ tool })), 'ok')
  for (let tool = 1; tool <= 30; tool++) take(`tool-${tool}`)
  take('tool-30')
  const page = await openPage(u.control.url)
  const traffic = page.getByRole('region', { name: 'Traffic' })
  await traffic.getByText('20 of 30 charts, the busiest').waitFor()
  const lines = traffic.getByRole('listitem')
  expect(await lines.count()).toBe(20)
  expect(await lines.first().locator('.rate-peak').innerText()).toMatch(/^max [12]\/s$/)
  expect(await lines.first().innerText()).toContain('tool-30')
})
