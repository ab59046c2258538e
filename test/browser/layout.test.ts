import type { Page } from 'playwright-core'
import { describe, expect, it } from 'vitest'
import { startUnderstudy } from '../support/servers/understudy.js'
import { busyAfternoon } from './support/busy-afternoon.js'
import { openPage } from './support/open-page.js'
import { startGuarded } from './support/start-guarded.js'

/** Returns the tool names that are on more than one line, or that are cut. */
function brokenNames(page: Page, names: readonly string[]): Promise<string[]> {
  return page.evaluate(names => {
    const broken: string[] = []
    const range = document.createRange()
    const texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT)
    while (texts.nextNode() !== null) {
      const { currentNode } = texts
      const name = currentNode.textContent?.trim() ?? ''
      if (!names.includes(name)) continue
      range.selectNodeContents(currentNode)
      const lines = new Set([...range.getClientRects()].map(({ top }) => Math.round(top)))
      const { right } = range.getBoundingClientRect()
      const end = currentNode.parentElement?.closest('button, td, li')?.getBoundingClientRect().right ?? 0
      if (lines.size !== 1 || right > end + 1)
        broken.push(`${name}: ${lines.size} lines, cut: ${right > end + 1}`)
    }
    return broken
  }, names)
}

/** Returns the sections with content that is wider than the section. */
function overflowing(page: Page): Promise<string[]> {
  return page.evaluate(() =>
    [...document.querySelectorAll('.section')]
      .filter(({ scrollWidth, clientWidth }) => scrollWidth > clientWidth)
      .map(({ id }) => id),
  )
}

/** Returns the height of the empty space below the last text, field or chart of each section, in pixels. */
function emptySpaces(page: Page): Promise<{ id: string; below: number }[]> {
  return page.evaluate(() =>
    [...document.querySelectorAll('.section')].map(section => {
      const range = document.createRange()
      const texts = document.createTreeWalker(section, NodeFilter.SHOW_TEXT)
      const bottoms = [...section.querySelectorAll('input, button, svg, .command, .masked')].map(
        element => element.getBoundingClientRect().bottom,
      )
      while (texts.nextNode() !== null) {
        range.selectNodeContents(texts.currentNode)
        bottoms.push(range.getBoundingClientRect().bottom)
      }
      return { id: section.id, below: section.getBoundingClientRect().bottom - Math.max(...bottoms) }
    }),
  )
}

/** A section's padding, and the half line below the text of a row. */
const MAX_SPACE = 32

describe('on a phone', () => {
  it.each([390, 360, 320])('keeps each tool name on one line, %d pixels wide', async width => {
    const { u, databases } = await startGuarded()
    await busyAfternoon(u, databases)
    const agent = await u.safebot.connect({ handle: 'reader' })
    const { tools } = await agent.listTools()
    u.catalogue.set([
      { server: 'safebot', tool: 'wait_for_messages', callers: ['reader'], do: { hide: true } },
      { server: 'safebot', tool: 'ack_task', do: { describe: 'Acknowledges a task of any of the rooms' } },
    ])
    const page = await openPage(u.control.url, { width, height: 800 })
    await page.getByText('wait_for_messages', { exact: true }).waitFor()
    await page.getByText('notifications/initialized', { exact: true }).first().waitFor()
    const names = [
      ...tools.map(({ name }) => name),
      ...[
        'create_postgres',
        'create_webhook',
        'claim_token',
        'delete_resource',
        'list_resources',
        'get_api_token',
      ],
      ...['initialize', 'notifications/initialized', 'tools/list'],
    ]
    expect(await brokenNames(page, names)).toEqual([])
    expect(await overflowing(page)).toEqual([])
  })

  it('fades the end of the row of sections if the row goes on, and not its last link', async () => {
    const { u } = await startGuarded()
    const page = await openPage(u.control.url, { width: 390 })
    await page.getByRole('link', { name: 'Gateway' }).waitFor()
    const row = page.getByRole('navigation', { name: 'Sections' })
    const seen = await row.evaluate(nav => {
      const { scrollWidth, clientWidth } = nav
      nav.scrollLeft = scrollWidth
      const fade = /calc\(100% - (\d+)px\)/.exec(getComputedStyle(nav).maskImage)?.[1]
      const { right } = nav.getBoundingClientRect()
      const last = nav.lastElementChild?.getBoundingClientRect().right ?? Number.NaN
      return { goesOn: scrollWidth > clientWidth, fade: Number(fade), afterLast: Math.round(right - last) }
    })
    expect(seen).toMatchObject({ goesOn: true, fade: 32 })
    expect(seen.afterLast).toBeGreaterThanOrEqual(32)
  })
})

describe('a section', () => {
  it.each([1280, 390])('ends below its content if its lists are short, %d pixels wide', async width => {
    const u = await startUnderstudy()
    await (await u.safebot.connect({ handle: 'alice' })).listTools()
    u.faults.set([
      { server: 'safebot', tool: 'ack_task', when: { nth: 1 }, do: { drop: 'after' } },
      { server: 'safebot', tool: 'claim_task', when: { nth: 1 }, do: { drop: 'after' } },
    ])
    const page = await openPage(u.control.url, { width })
    await page.getByText('3 calls reached the servers').waitFor()
    await page.getByText('2 set').waitFor()
    await page.getByText('There are no receivers yet').waitFor()
    const spaces = await emptySpaces(page)
    expect(spaces.length).toBeGreaterThan(6)
    expect(spaces.filter(({ below }) => below > MAX_SPACE)).toEqual([])
  })

  it('ends at the height of the section beside it if both lists are long', async () => {
    const { u, databases } = await startGuarded()
    await busyAfternoon(u, databases)
    const page = await openPage(u.control.url)
    await page.getByText('24 calls reached the servers').waitFor()
    await page.getByText('9 calls decided').waitFor()
    await page.getByText('1 call waits for your decision').waitFor()
    const bottoms = await page
      .locator('#gateway, #calls')
      .evaluateAll(sections => sections.map(section => section.getBoundingClientRect().bottom))
    expect(new Set(bottoms).size).toBe(1)
  })
})

it('has files of less than 80 kB in total', async () => {
  const u = await startUnderstudy()
  const sizes = await Promise.all(
    ['/', '/page/page.js', '/page/page.css', '/page/icon.svg'].map(async path => {
      const answer = await fetch(u.control.url + path, { headers: { Accept: 'text/html' } })
      expect(answer.status).toBe(200)
      return (await answer.arrayBuffer()).byteLength
    }),
  )
  expect(sizes.reduce((sum, size) => sum + size)).toBeLessThan(80_000)
})
