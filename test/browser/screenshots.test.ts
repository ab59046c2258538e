import { mkdir, readFile, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Page } from 'playwright-core'
import { expect, it, vi } from 'vitest'
import { busyAfternoon } from './support/busy-afternoon.js'
import { openPage } from './support/open-page.js'
import { startGuarded } from './support/start-guarded.js'

const FOLDER = join(import.meta.dirname, '../../docs/images')

/** Maximum size of all pictures. It keeps the documentation quick to open. */
const MAX_BYTES = 300_000

/** Height in pixels of the picture that ends below the rooms. */
const TALL = 1520

/**
 * Replaces the machine's time, so that every run has the same picture. Time passes between two calls. It also passes
 * a little at each reading, because the servers read it before and after each call.
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

/** Whether to store the pictures in the documents. CONTRIBUTING.md has the command. */
const KEPT = process.env.UNDERSTUDY_SCREENSHOTS === '1'

/** Fixed ports give stored pictures the same URLs every time. Any other run uses free ports. */
const PORTS = KEPT ? { instanodePort: 14_801, safebotPort: 14_802, controlPort: 14_800 } : {}

/** Takes a picture as WebP, which has half the size of PNG. */
async function picture(page: Page, name: string): Promise<Buffer> {
  const cdp = await page.context().newCDPSession(page)
  const { data } = await cdp.send('Page.captureScreenshot', { format: 'webp', quality: 100 })
  const webp = Buffer.from(data, 'base64')
  if (KEPT) {
    await mkdir(FOLDER, { recursive: true })
    await writeFile(join(FOLDER, name), webp)
  }
  return webp
}

it('shows the page as docs/page.md has it', async () => {
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
  const light = await open(1200, TALL, 'light')
  const whole = await picture(light, 'page-light.webp')
  expect((await picture(light, 'page-light.webp')).equals(whole)).toBe(true)
  // The picture contains the parts that its description promises.
  for (const shown of [light.locator('.rate').first(), light.locator('.timeline .legend')]) {
    await shown.waitFor()
    const box = await shown.boundingBox()
    expect((box?.y ?? TALL) + (box?.height ?? 0)).toBeLessThan(TALL)
  }
  const dark = await open(1200, 580, 'dark')
  await dark.getByRole('region', { name: 'Rooms' }).evaluate(rooms => rooms.scrollIntoView())
  await picture(dark, 'page-dark.webp')
  await picture(await open(390, 700, 'light'), 'page-phone.webp')
})

it('is shown in docs/page.md by pictures of no more than 300 kB in total', async () => {
  const text = await readFile(join(FOLDER, '../page.md'), 'utf8')
  const shown = [...text.matchAll(/images\/([\w-]+\.webp)/g)].map(([, name = '']) => name)
  expect(new Set(shown)).toEqual(new Set(['page-light.webp', 'page-dark.webp', 'page-phone.webp']))
  const sizes = await Promise.all(
    [...new Set(shown)].map(async name => (await stat(join(FOLDER, name))).size),
  )
  expect(sizes.reduce((sum, size) => sum + size)).toBeLessThan(MAX_BYTES)
})
