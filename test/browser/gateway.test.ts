import type { Route } from 'playwright-core'
import { describe, expect, it } from 'vitest'
import { rpc, send } from '../support/clients/raw-http.js'
import { until } from '../support/until.js'
import { callOverHttp } from './support/call-over-http.js'
import { openPage } from './support/open-page.js'
import { startGuarded } from './support/start-guarded.js'

describe('a gateway', () => {
  it('shows the rule that denied a call, and that the call did not reach the server', async () => {
    const { u } = await startGuarded()
    const page = await openPage(u.control.url)
    await page.getByText('has not decided on a call yet').waitFor()
    const { url } = u.gateways.instanode
    await callOverHttp(url, 'create_postgres', { name: 'DROP TABLE' })
    await callOverHttp(url, 'list_resources')
    const asked = page.getByLabel('Decisions of the gateways').getByRole('row')
    await asked.filter({ hasText: 'list_resources' }).getByText('allowed').waitFor()
    const denied = (await asked.filter({ hasText: 'create_postgres' }).innerText()).split(/\s*[\n\t]\s*/)
    expect(denied).toEqual(expect.arrayContaining(['denied', 'label', 'not reached']))
    const judged = u.gateways.instanode.audit.entries().find(({ tool }) => tool === 'create_postgres')
    expect(denied).toContain(judged?.message)
    const reached = page.getByRole('table', { name: /^Calls/ }).locator('.call-name button')
    await reached.getByText('list_resources').waitFor()
    expect(await reached.allInnerTexts()).toEqual(['list_resources'])
  })

  it('holds a call until a user approves the call on the page', async () => {
    const { u } = await startGuarded()
    const page = await openPage(u.control.url)
    const held = callOverHttp(u.gateways.instanode.url, 'get_api_token')
    await page.getByRole('button', { name: 'Approve get_api_token for default' }).click()
    await held
    await page.getByText('Approved get_api_token for default').waitFor()
    await page.getByRole('row').filter({ hasText: 'get_api_token' }).getByText('approved').waitFor()
    expect(await page.getByRole('button', { name: /^Approve/ }).count()).toBe(0)
    expect(u.journal.entries({ tool: 'get_api_token', outcome: 'ok' })).toHaveLength(1)
  })

  it('identifies each waiting call, and counts the waiting calls', async () => {
    const { u } = await startGuarded()
    const page = await openPage(u.control.url)
    const held = callOverHttp(u.gateways.instanode.url, 'get_api_token')
    const waiting = page.getByLabel('Waiting for your decision').getByRole('listitem')
    await waiting.getByText('default at instanode').waitFor()
    const [pending] = u.gateways.instanode.approvals.list()
    await waiting.getByText(`#${pending?.argsHash?.slice(7, 19)}`).waitFor()
    await waiting.getByText('Account tokens are given out by people').waitFor()
    await page.getByRole('status').getByText('1 call waits for your decision').waitFor()
    const approve = page.getByRole('button', { name: /^Approve/ })
    const asked = new Promise<Route>(resolve => {
      void page.route('**/approvals/*', route => resolve(route))
    })
    await approve.click()
    await expect.poll(() => approve.getAttribute('aria-disabled')).toBe('true')
    await (await asked).continue()
    await held
    await waiting.waitFor({ state: 'detached' })
    expect(await page.getByText('for your decision').count()).toBe(0)
  })

  it('removes a call from the page once the time for its decision is over', async () => {
    const { u } = await startGuarded()
    const page = await openPage(u.control.url)
    const held = callOverHttp(u.gateways.instanode.url, 'get_api_token').catch(() => undefined)
    const approve = page.getByRole('button', { name: /^Approve/ })
    await approve.waitFor()
    await u.clock.advance(600_000)
    await approve.waitFor({ state: 'detached' })
    await held
  })

  it('refuses a held call when a user refuses the call on the page', async () => {
    const { u } = await startGuarded()
    const page = await openPage(u.control.url)
    const body = rpc('tools/call', { name: 'get_api_token', arguments: {} }, 1)
    const held = send(u.gateways.instanode.url, { body })
    await page.getByRole('button', { name: 'Refuse get_api_token for default' }).click()
    expect((await held).body).toContain('Account tokens are given out by people')
    expect(u.journal.entries({ tool: 'get_api_token' })).toEqual([])
  })

  it('reports that an approval was already decided elsewhere', async () => {
    const { u } = await startGuarded()
    const page = await openPage(u.control.url)
    const held = callOverHttp(u.gateways.instanode.url, 'get_api_token')
    const approve = page.getByRole('button', { name: /^Approve/ })
    await approve.waitFor()
    await page.route('**/approvals/*', async route => {
      const [pending] = u.gateways.instanode.approvals.list()
      u.gateways.instanode.approvals.decide(pending?.id ?? '', 'refuse')
      await route.continue()
    })
    // The browser logs an error for the status 409.
    page.removeAllListeners('console')
    await approve.click()
    await page.getByText('is refused already').waitFor()
    await held
    await until(() => u.gateways.instanode.approvals.list().every(({ state }) => state === 'refused'))
  })
})
