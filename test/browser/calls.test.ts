import { describe, expect, it } from 'vitest'
import { call, ok, startUnderstudy } from '../support/servers/understudy.js'
import { openPage } from './support/open-page.js'

describe('calls', () => {
  it('appear as they arrive, with caller, tool, outcome and duration', async () => {
    const u = await startUnderstudy()
    const page = await openPage(u.control.url)
    await page.getByText('No call has reached the servers yet').waitFor()
    const agent = await u.safebot.connect({ handle: 'alice' })
    await ok(agent, 'create_room')
    const row = page.getByRole('row').filter({ hasText: 'create_room' })
    await row.getByText('ok', { exact: true }).waitFor()
    expect((await row.innerText()).split(/\s+/)).toEqual(
      expect.arrayContaining(['alice', 'create_room', 'ok', 'ms']),
    )
    await call(agent, 'room_status', { url: 'nonsense' })
    await page.getByRole('row').filter({ hasText: 'room_status' }).getByText('tool error').waitFor()
    await page.getByText('4 calls reached the servers').waitFor()
  })

  it('are seen in progress, and then with their outcome', async () => {
    const u = await startUnderstudy()
    const agent = await u.safebot.connect({ handle: 'idle' })
    const { url } = await ok(agent, 'create_room')
    await ok(agent, 'send_message', { url, text: 'first' })
    const page = await openPage(u.control.url)
    const parked = call(await u.safebot.connect({ handle: 'other' }), 'wait_for_messages', {
      url,
      after_seq: Number.MAX_SAFE_INTEGER,
      timeout_seconds: 30,
    })
    const row = page.getByRole('row').filter({ hasText: 'wait_for_messages' })
    await row.getByText('in progress').waitFor()
    await u.clock.advance(30_000)
    await parked
    await row.getByText('ok', { exact: true }).waitFor()
  })

  it('open to their exact body, their headers and their answer', async () => {
    const u = await startUnderstudy()
    const agent = await u.safebot.connect({ handle: 'alice' })
    await call(agent, 'room_status', { url: 'nonsense' })
    const page = await openPage(u.control.url)
    await page.getByRole('button', { name: 'room_status' }).click()
    const [body, answer] = [page.getByLabel(/^Request, /), page.getByLabel(/^Answer, /)]
    expect(JSON.parse(await body.innerText())).toMatchObject({ params: { arguments: { url: 'nonsense' } } })
    await answer.getByText('isError').waitFor()
    await page.getByRole('button', { name: 'as sent' }).first().click()
    expect(await body.innerText()).toBe(u.journal.entries({ tool: 'room_status' })[0]?.raw)
    await page.getByText('Headers', { exact: true }).click()
    await page.getByText('x-safebot-handle').waitFor()
  })

  it('are filtered by text, by tool calls and by failures', async () => {
    const u = await startUnderstudy()
    const agent = await u.safebot.connect({ handle: 'alice' })
    await ok(agent, 'create_room')
    await call(agent, 'room_status', { url: 'nonsense' })
    const page = await openPage(u.control.url)
    const names = page.locator('.call-name button')
    await page.getByRole('button', { name: 'initialize', exact: true }).waitFor()
    await page.getByLabel('tools only').check()
    expect(await names.allInnerTexts()).toEqual(['room_status', 'create_room'])
    await page.getByLabel('failed only').check()
    expect(await names.allInnerTexts()).toEqual(['room_status'])
    await page.getByRole('searchbox').fill('create')
    await page.getByText('No match in').waitFor()
  })

  it('leave the page when the journal is cleared', async () => {
    const u = await startUnderstudy()
    await u.safebot.connect()
    const page = await openPage(u.control.url)
    await page.getByText('2 calls reached the servers').waitFor()
    u.journal.clear()
    await page.getByText('No call has reached the servers yet').waitFor()
  })
})
