import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import type { AxeResults } from 'axe-core'
import type { Page } from 'playwright-core'
import { describe, expect, it } from 'vitest'
import { ok, startUnderstudy } from '../support/servers/understudy.js'
import { busyAfternoon } from './support/busy-afternoon.js'
import { openPage } from './support/open-page.js'
import { startGuarded } from './support/start-guarded.js'

const AXE = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8')

declare const axe: { run(options: object): Promise<AxeResults> }

/** Returns the serious and critical violations on a page, one line each. */
async function violations(page: Page): Promise<string[]> {
  // Past the page's own policy: that is for what the page itself does.
  await page.evaluate(AXE)
  const { violations } = await page.evaluate(() => axe.run({ resultTypes: ['violations'] }))
  return violations
    .filter(({ impact }) => impact === 'serious' || impact === 'critical')
    .flatMap(({ id, nodes }) =>
      nodes.map(({ html, failureSummary }) => `${id}: ${html.slice(0, 120)} ${failureSummary}`),
    )
}

describe('the page, looked through by axe', () => {
  for (const scheme of ['light', 'dark'] as const) {
    for (const width of [1280, 390]) {
      it(`has nothing serious against it with all there is on it, ${scheme}, ${width} pixels wide`, async () => {
        const { u, databases } = await startGuarded()
        await busyAfternoon(u, databases)
        const page = await openPage(u.control.url, { scheme, width })
        await page.getByRole('article', { name: 'Database orders' }).waitFor()
        await page.getByRole('button', { name: 'claim_token' }).first().click()
        await page.getByText('Answer, ').waitFor()
        await page.getByRole('button', { name: 'show texts' }).click()
        await page.getByText('build main').waitFor()
        for (const summary of await page.locator('details > summary').all()) await summary.click()
        expect(await violations(page)).toEqual([])
        const wider = await page.evaluate(() => document.documentElement.scrollWidth - window.innerWidth)
        expect(wider).toBeLessThanOrEqual(0)
      })
    }

    it(`has nothing serious against it with nothing on it, ${scheme}`, async () => {
      const u = await startUnderstudy()
      const page = await openPage(u.control.url, { scheme })
      await page.getByText('There is no room').waitFor()
      expect(await violations(page)).toEqual([])
    })
  }
})

describe('the page, without a mouse', () => {
  /** Presses Tab until what has the focus goes by this name. */
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

  it('has time pass', async () => {
    const u = await startUnderstudy()
    const page = await openPage(u.control.url)
    await page.getByText('2026-01-01 00:00:00').waitFor()
    await tabTo(page, /^\+60 s/)
    await page.keyboard.press('Enter')
    await page.getByText('2026-01-01 00:01:00', { exact: true }).waitFor()
    await page.getByRole('status').filter({ hasText: '+60 s: it is 2026-01-01 00:01:00 now' }).waitFor()
  })

  it('goes through calls, opens one and closes it, and gets out of the list again', async () => {
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

  it('approves of a call, and shows a secret', async () => {
    const { u, databases } = await startGuarded()
    await busyAfternoon(u, databases)
    const page = await openPage(u.control.url)
    await page.getByRole('article', { name: 'Database orders' }).waitFor()
    await tabTo(page, /^Approve get_api_token/)
    await page.keyboard.press('Enter')
    await page.getByText('get_api_token of default: used').waitFor()
    await tabTo(page, /^URL of orders: /)
    await page.keyboard.press('Space')
    await page.getByRole('button', { name: /^URL of orders: postgres:\/\/\w+:\w+@/ }).waitFor()
  })
})
