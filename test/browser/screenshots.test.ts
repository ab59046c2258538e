import { mkdir, readFile, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Page } from 'playwright-core'
import { expect, it, vi } from 'vitest'
import { busyAfternoon } from './support/busy-afternoon.js'
import { openPage } from './support/open-page.js'
import { startGuarded } from './support/start-guarded.js'

const FOLDER = join(import.meta.dirname, '../../docs/images')

/** A README is not to be slow to open. */
const MOST_BYTES = 300_000

/**
 * The machine's time, so that every run has the same picture: it passes between two calls, and a little whenever somebody looks
 * at it, as one does before and after each.
 */
const machine = vi.hoisted(() => ({ now: Date.parse('2026-01-01T12:00:00Z'), looks: 0 }))
const BETWEEN_MS = 1300

vi.mock(import('../../shared/clock/clock.js'), async original => ({
  ...(await original()),
  machineNow() {
    machine.looks++
    machine.now += 0.2 + (machine.looks % 7) * 0.35
    return machine.now
  },
}))

/** Whether the pictures are to be put into the documents. */
const KEPT = process.env.UNDERSTUDY_SCREENSHOTS === '1'

/** URLs are to be the same in every picture that is kept; any other run takes ports that are free. */
const PORTS = KEPT ? { instanodePort: 14_801, safebotPort: 14_802, controlPort: 14_800 } : {}

/** Takes a picture. */
async function picture(page: Page, name: string): Promise<Buffer> {
  const png = await page.screenshot({ animations: 'disabled', caret: 'hide' })
  if (KEPT) {
    await mkdir(FOLDER, { recursive: true })
    await writeFile(join(FOLDER, name), png)
  }
  return png
}

it('shows the page as the README has it', async () => {
  const { u, databases } = await startGuarded(PORTS)
  await busyAfternoon(u, databases, () => {
    machine.now += BETWEEN_MS
  })
  const at = machine.now + 5 * BETWEEN_MS
  const open = async (width: number, height: number, scheme: 'light' | 'dark') => {
    const page = await openPage(u.control.url, { width, height, scheme, at })
    await page.getByRole('article', { name: 'Database orders' }).waitFor()
    await page.getByLabel(/^5 leases/).waitFor()
    await page.getByRole('button', { name: 'show texts' }).click()
    await page.getByText('announce release').waitFor()
    await page.mouse.move(0, 0)
    await page.evaluate(() => window.scrollTo(0, 0))
    return page
  }
  const light = await open(1200, 720, 'light')
  const whole = await picture(light, 'page-light.png')
  expect((await picture(light, 'page-light.png')).equals(whole)).toBe(true)
  const dark = await open(1200, 580, 'dark')
  await dark.getByRole('region', { name: 'Rooms' }).evaluate(rooms => rooms.scrollIntoView())
  await picture(dark, 'page-dark.png')
  await picture(await open(390, 700, 'light'), 'page-phone.png')
})

it('is shown in the README by pictures of no more than 300 kB together', async () => {
  const readme = await readFile(join(FOLDER, '../../README.md'), 'utf8')
  const shown = [...readme.matchAll(/docs\/images\/([\w-]+\.png)/g)].map(([, name = '']) => name)
  expect(new Set(shown)).toEqual(new Set(['page-light.png', 'page-dark.png', 'page-phone.png']))
  const sizes = await Promise.all(
    [...new Set(shown)].map(async name => (await stat(join(FOLDER, name))).size),
  )
  expect(sizes.reduce((sum, size) => sum + size)).toBeLessThan(MOST_BYTES)
})
