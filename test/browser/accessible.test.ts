import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import type { AxeResults } from 'axe-core'
import type { Page } from 'playwright-core'
import { describe, expect, it } from 'vitest'
import { ok, startUnderstudy } from '../support/servers/understudy.js'
import { busyAfternoon } from './support/busy-afternoon.js'
import { callOverHttp } from './support/call-over-http.js'
import { openPage } from './support/open-page.js'
import { startGuarded } from './support/start-guarded.js'

const AXE = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8')

declare const axe: { run(options: object): Promise<AxeResults> }

/** Returns the violations on a page, one line each. */
async function violations(page: Page): Promise<string[]> {
  // The page's own content policy does not apply to scripts of the test.
  await page.evaluate(AXE)
  const { violations } = await page.evaluate(() => axe.run({ resultTypes: ['violations'] }))
  return violations.flatMap(({ id, nodes }) =>
    nodes.map(({ html, failureSummary }) => `${id}: ${html.slice(0, 120)} ${failureSummary}`),
  )
}

describe('axe finds nothing on a page', () => {
  for (const scheme of ['light', 'dark'] as const) {
    for (const width of [1280, 390]) {
      it(`with all sections filled, ${scheme}, ${width} pixels wide`, async () => {
        const { u, databases } = await startGuarded()
        await busyAfternoon(u, databases)
        const page = await openPage(u.control.url, { scheme, width })
        await page.getByRole('article', { name: 'Database orders' }).waitFor()
        await page.getByText('1 call waits for your decision').waitFor()
        const decisions = page.getByRole('table', { name: /^Decisions/ })
        await decisions.getByRole('button', { name: 'create_webhook' }).first().click()
        await decisions.getByText('two receivers an hour').last().waitFor()
        const calls = page.getByRole('table', { name: /^Calls/ })
        await calls.getByRole('button', { name: 'claim_task' }).first().click()
        await page.getByText('Answer, ').waitFor()
        await page.getByRole('button', { name: 'show texts' }).click()
        await page.getByText('build main').waitFor()
        for (const summary of await page.locator('details > summary').all()) await summary.click()
        expect(await violations(page)).toEqual([])
        const wider = await page.evaluate(() => document.documentElement.scrollWidth - window.innerWidth)
        expect(wider).toBeLessThanOrEqual(0)
      })
    }

    it(`with all sections empty, ${scheme}`, async () => {
      const u = await startUnderstudy()
      const page = await openPage(u.control.url, { scheme })
      await page.getByText('There are no rooms yet').waitFor()
      expect(await violations(page)).toEqual([])
    })

    it(`with several pending approvals and no decision, ${scheme}`, async () => {
      const { u } = await startGuarded()
      const page = await openPage(u.control.url, { scheme, width: 390 })
      await page.getByText('has not decided on a call yet').waitFor()
      const held = [1, 2, 3].map(() => callOverHttp(u.gateways.instanode.url, 'get_api_token'))
      await page.getByText('3 calls wait for your decision').waitFor()
      expect(await violations(page)).toEqual([])
      for (const { id } of u.gateways.instanode.approvals.list())
        u.gateways.instanode.approvals.decide(id, 'refuse')
      await Promise.all(held)
    })
  }
})

describe('the page, without a mouse', () => {
  /** Presses Tab until the focus is on an element with this name. */
  async function tabTo(page: Page, name: RegExp): Promise<void> {
    for (let presses = 0; presses < 60; presses++) {
      await page.keyboard.press('Tab')
      const focused = await page.evaluate(
        () => document.activeElement?.getAttribute('aria-label') ?? document.activeElement?.textContent ?? '',
      )
      if (name.test(focused)) return
    }
    throw new Error(`the Tab key leads to nothing called ${name}`)
  }

  it('advances the clock', async () => {
    const u = await startUnderstudy()
    const page = await openPage(u.control.url)
    await page.getByText('2026-01-01 00:00:00').waitFor()
    await tabTo(page, /^\+60 s/)
    await page.keyboard.press('Enter')
    await page.getByText('2026-01-01 00:01:00', { exact: true }).waitFor()
    await page.getByRole('status').filter({ hasText: 'Clock advanced to 2026-01-01 00:01:00' }).waitFor()
  })

  it('moves through the calls, opens and closes one, and leaves the list', async () => {
    const u = await startUnderstudy()
    const agent = await u.safebot.connect({ handle: 'alice' })
    for (let count = 0; count < 100; count++) await ok(agent, 'create_room')
    const page = await openPage(u.control.url)
    await page.getByText('102 calls reached the servers').waitFor()
    await tabTo(page, /^create_room/)
    const seq = () => page.evaluate(() => document.activeElement?.getAttribute('data-seq'))
    expect(await seq()).toBe('102')
    await page.keyboard.press('ArrowDown')
    expect(await seq()).toBe('101')
    await page.keyboard.press('Enter')
    await page.getByText('Request, ').waitFor()
    await page.keyboard.press('Enter')
    await page.getByText('Request, ').waitFor({ state: 'detached' })
    await page.keyboard.press('End')
    expect(await seq()).toBe('1')
    await page.keyboard.press('Home')
    expect(await seq()).toBe('102')
    await page.keyboard.press('Tab')
    expect(await seq()).toBeNull()
  })

  it('approves a call, and shows a secret', async () => {
    const { u, databases } = await startGuarded()
    await busyAfternoon(u, databases)
    const page = await openPage(u.control.url)
    await page.getByRole('article', { name: 'Database orders' }).waitFor()
    await tabTo(page, /^Approve get_api_token/)
    await page.keyboard.press('Enter')
    await page.getByText('Approved get_api_token for default').waitFor()
    await tabTo(page, /^URL of orders: /)
    await page.keyboard.press('Space')
    await page.getByRole('button', { name: /^URL of orders: postgres:\/\/\w+:\w+@/ }).waitFor()
  })
})
