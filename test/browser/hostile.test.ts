import { expect, it } from 'vitest'
import { rpc, send } from '../support/clients/raw-http.js'
import { RecordingDatabases } from '../support/databases/recording-databases.js'
import { ok, startUnderstudy } from '../support/servers/understudy.js'
import { openPage } from './support/open-page.js'

/** Any part of this text that became markup would change the window's name. */
const HOSTILE = `"'><img src=x onerror="window.name='run'"><script>window.name='run'</script><a href="javascript:window.name='run'">x</a>`

it('shows text from agents as plain text', async () => {
  const u = await startUnderstudy({ databases: new RecordingDatabases() })
  const agent = await u.safebot.connect({ handle: 'mallory' })
  const { url, room_id } = await ok(agent, 'create_room')
  await ok(agent, 'send_message', { url, text: HOSTILE, name: HOSTILE.slice(0, 60) })
  const { receive_url } = await ok(await u.instanode.connect(), 'create_webhook', { name: 'ci' })
  await send(`${receive_url}?${encodeURIComponent(HOSTILE)}`, {
    body: HOSTILE,
    headers: { 'x-evil': HOSTILE },
  })
  await send(u.safebot.mcpUrl, {
    body: rpc('tools/call', { name: HOSTILE, arguments: { [HOSTILE]: HOSTILE } }, 1),
  })
  await send(u.safebot.mcpUrl, { body: rpc(HOSTILE, {}, 1) })
  u.faults.set([{ server: 'safebot', tool: '*', when: { nth: 99 }, do: { toolError: HOSTILE } }])
  u.catalogue.set([{ server: 'safebot', tool: 'ack_task', callers: [HOSTILE], do: { describe: HOSTILE } }])

  const page = await openPage(u.control.url)
  const hostile = page.getByRole('button', { name: HOSTILE })
  await hostile.first().waitFor()
  expect(await hostile.count()).toBe(2)
  await hostile.last().click()
  await page
    .getByLabel(/^Answer, /)
    .getByText('onerror')
    .waitFor()
  await page
    .getByRole('article', { name: `Room ${room_id}` })
    .getByRole('button', { name: 'show texts' })
    .click()
  await page.getByText(HOSTILE, { exact: true }).first().waitFor()
  await page.getByRole('article', { name: 'Receiver ci' }).locator('summary').click()
  await page.getByLabel('body').getByText('onerror').waitFor()

  const found = await page.evaluate(() => ({
    name: window.name,
    images: document.querySelectorAll('img').length,
    scripts: document.querySelectorAll('script').length,
    links: [...document.querySelectorAll('a')].filter(link => link.protocol === 'javascript:').length,
    handlers: [...document.querySelectorAll('*')].filter(element => element.hasAttribute('onerror')).length,
  }))
  expect(found).toEqual({ name: '', images: 0, scripts: 1, links: 0, handlers: 0 })
})

it('shows invisible characters, and those that reorder text, by their codes', async () => {
  const u = await startUnderstudy({ databases: new RecordingDatabases() })
  const body = rpc('tools/call', { name: 'ack\u202Eksat', arguments: { note: 'a\u200Bb' } }, 1)
  await send(u.safebot.mcpUrl, { body })
  const page = await openPage(u.control.url)
  const row = page.getByRole('button', { name: 'ackU+202Eksat' })
  await row.click()
  await page
    .getByLabel(/^Request, /)
    .getByText('aU+200Bb')
    .waitFor()
  const raw = await page.evaluate(() => /[\u202E\u200B]/.test(document.body.innerText))
  expect(raw).toBe(false)
})

it("would not accept markup or an event handler from the page's code", async () => {
  const u = await startUnderstudy()
  const page = await openPage(u.control.url)
  // The browser's console errors are expected here.
  page.removeAllListeners('console')
  const refusals = await page.evaluate(() => {
    const attempts = [
      () => {
        document.body.innerHTML = '<img src=x onerror="window.name=1">'
      },
      () => document.createElement('img').setAttribute('onerror', 'window.name=1'),
      () => {
        document.createElement('script').text = 'window.name=1'
      },
    ]
    return attempts.map(attempt => {
      try {
        attempt()
        return 'taken'
      } catch (error) {
        return String(error)
      }
    })
  })
  expect(refusals).toEqual([
    expect.stringContaining('TrustedHTML'),
    expect.stringContaining('TrustedScript'),
    expect.stringContaining('TrustedScript'),
  ])
})
