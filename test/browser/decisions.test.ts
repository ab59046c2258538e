import type { Page } from 'playwright-core'
import { describe, expect, it } from 'vitest'
import { callOverHttp } from './support/call-over-http.js'
import { openPage } from './support/open-page.js'
import { startGuarded } from './support/start-guarded.js'

const decisionsOf = (page: Page) => page.getByRole('table', { name: /^Decisions of the gateways/ })
const callsOf = (page: Page) => page.getByRole('table', { name: /^Calls/ })
const names = (page: Page) => decisionsOf(page).locator('.decision-name button').allInnerTexts()
const focusedCall = (page: Page) =>
  page.evaluate(() => document.activeElement?.closest('.call-row')?.querySelector('button')?.dataset.seq)

describe('the decisions of a gateway', () => {
  it('are drawn only as far as they are visible, and scrolling reaches all of them', async () => {
    const { u } = await startGuarded()
    const { url } = u.gateways.instanode
    for (let nth = 0; nth < 300; nth++) await callOverHttp(url, 'create_postgres', { name: 'DROP TABLE' })
    const page = await openPage(u.control.url)
    await page.getByText('300 calls decided, 300 denied').waitFor()
    expect((await names(page)).length).toBeLessThan(40)
    await decisionsOf(page)
      .locator('.log-body')
      .evaluate(body => {
        body.scrollTop = body.scrollHeight
      })
    await decisionsOf(page).locator('[data-seq="1"]').waitFor()
    expect((await names(page)).length).toBeLessThan(40)
  })

  it('are filtered by tool, caller, server and rule, and by denials', async () => {
    const { u } = await startGuarded()
    const { url } = u.gateways.instanode
    await callOverHttp(url, 'list_resources')
    await callOverHttp(url, 'create_postgres', { name: 'DROP TABLE' })
    await callOverHttp(url, 'delete_resource')
    const page = await openPage(u.control.url)
    await page.getByText('3 calls decided, 2 denied').waitFor()
    expect(await names(page)).toEqual(['delete_resource', 'create_postgres', 'list_resources'])
    await page.getByLabel('denied only').check()
    expect(await names(page)).toEqual(['delete_resource', 'create_postgres'])
    const search = page.getByRole('searchbox', { name: 'Find decisions by tool, caller, server or rule' })
    await search.fill('LABEL')
    expect(await names(page)).toEqual(['create_postgres'])
    await search.fill('list_')
    await page.getByText('No match in 3 decisions. Change the filter.').waitFor()
  })

  it('open to the rule, its reason and the names of the arguments, with keys as well', async () => {
    const { u } = await startGuarded()
    const { url } = u.gateways.instanode
    await callOverHttp(url, 'list_resources')
    await callOverHttp(url, 'create_postgres', { name: 'DROP TABLE' })
    const page = await openPage(u.control.url)
    const denied = decisionsOf(page).getByRole('button', { name: 'create_postgres' })
    await denied.click()
    const details = decisionsOf(page).locator('.log-details')
    const facts = async () =>
      Object.fromEntries(
        await details
          .locator('.facts > div')
          .evaluateAll(all => all.map(fact => [...fact.children].map(child => child.textContent ?? ''))),
      )
    await details.getByText('argument names').waitFor()
    expect(await facts()).toMatchObject({
      grant: 'default',
      server: 'instanode',
      'argument names': 'name',
      rule: 'label',
      reason: 'Name the database with small letters and dashes.',
      'answer of the server': 'none, the call did not reach it',
    })
    await page.keyboard.press('ArrowDown')
    await page.keyboard.press('Enter')
    await details.getByText('result', { exact: true }).waitFor()
    await page.keyboard.press('Enter')
    await details.waitFor({ state: 'detached' })
  })
})

describe('the link of an allowed call', () => {
  it('opens the call in the list of calls, again after the row was closed', async () => {
    const { u } = await startGuarded()
    for (let nth = 0; nth < 40; nth++) await callOverHttp(u.instanode.mcpUrl, 'list_resources')
    await callOverHttp(u.gateways.instanode.url, 'create_postgres', { name: 'orders' })
    for (let nth = 0; nth < 40; nth++) await callOverHttp(u.instanode.mcpUrl, 'list_resources')
    const page = await openPage(u.control.url)
    const link = decisionsOf(page).getByRole('link', { name: 'call 41' })
    for (let click = 0; click < 2; click++) {
      await link.click()
      const request = callsOf(page).getByLabel(/^Request, /)
      await request.getByText('"orders"').waitFor()
      expect(await focusedCall(page)).toBe('41')
      expect(await callsOf(page).locator('[data-seq="41"]').getAttribute('aria-expanded')).toBe('true')
      await page.keyboard.press('Enter')
      await request.waitFor({ state: 'detached' })
    }
  })

  it('clears a filter that does not show the call', async () => {
    const { u } = await startGuarded()
    await callOverHttp(u.gateways.instanode.url, 'list_resources')
    const page = await openPage(u.control.url)
    await callsOf(page).waitFor()
    await page.getByLabel('failed only').check()
    await page.getByText('No match in 1 call').waitFor()
    await decisionsOf(page).getByRole('link', { name: 'call 1' }).click()
    await callsOf(page)
      .getByLabel(/^Request, /)
      .waitFor()
    expect(await page.getByLabel('failed only').isChecked()).toBe(false)
  })

  it('leads to the call that the server has named, if there are several such calls', async () => {
    const { u } = await startGuarded({ stamp: true })
    for (let nth = 0; nth < 3; nth++) await callOverHttp(u.gateways.instanode.url, 'list_resources')
    const page = await openPage(u.control.url)
    await page.getByText('3 calls reached the servers').waitFor()
    await decisionsOf(page).getByRole('link').nth(2).waitFor()
    expect(await decisionsOf(page).getByRole('link').allInnerTexts()).toEqual(['call 3', 'call 2', 'call 1'])
  })

  it('is absent if several calls could be the one, and if the call was denied', async () => {
    const { u } = await startGuarded()
    for (let nth = 0; nth < 2; nth++) await callOverHttp(u.gateways.instanode.url, 'list_resources')
    await callOverHttp(u.gateways.instanode.url, 'delete_resource')
    const page = await openPage(u.control.url)
    await page.getByText('2 calls reached the servers').waitFor()
    await page.getByText('3 calls decided, 1 denied').waitFor()
    expect(await decisionsOf(page).getByRole('link').count()).toBe(0)
  })
})

it('opens the call that the address of the page names', async () => {
  const { u } = await startGuarded()
  await callOverHttp(u.instanode.mcpUrl, 'list_resources')
  await callOverHttp(u.instanode.mcpUrl, 'create_postgres', { name: 'orders' })
  const page = await openPage(u.control.url)
  // Otherwise the browser does not load the page again.
  await page.goto('about:blank')
  await page.goto(`${u.control.url}/#call-1`)
  await callsOf(page)
    .getByLabel(/^Request, /)
    .getByText('list_resources')
    .waitFor()
})
