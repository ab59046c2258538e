import { describe, expect, it } from 'vitest'
import { send } from '../support/clients/raw-http.js'
import { RecordingDatabases } from '../support/databases/recording-databases.js'
import { createPostgres } from '../support/servers/instanode.js'
import { call, ok, startUnderstudy } from '../support/servers/understudy.js'
import { openPage } from './support/open-page.js'

describe('secrets', () => {
  it('in the bodies and answers of calls are hidden until they are clicked', async () => {
    const u = await startUnderstudy({ databases: new RecordingDatabases() })
    const agent = await u.instanode.connect()
    const { token } = await createPostgres(agent, 'scratch')
    await call(agent, 'claim_token', { token })
    const page = await openPage(u.control.url)
    for (const tool of ['create_postgres', 'claim_token']) {
      await page.getByRole('button', { name: tool }).click()
      await page.getByRole('button', { name: '[the token of a resource]' }).first().waitFor()
      expect(await page.locator('.log-details').innerText()).not.toContain(token)
    }
    await page
      .getByLabel(/^Request, /)
      .getByRole('button', { name: '[the token of a resource]' })
      .click()
    await page
      .getByLabel(/^Request, /)
      .getByText(token)
      .waitFor()
  })

  it('in the names of calls are hidden', async () => {
    const u = await startUnderstudy({ databases: new RecordingDatabases() })
    const { receive_url, token } = await ok(await u.instanode.connect(), 'create_webhook', { name: 'ci' })
    await send(String(receive_url), { body: 'hello' })
    const page = await openPage(u.control.url)
    await page.getByRole('button', { name: 'POST /webhook/receive/' }).waitFor()
    expect(await page.locator('body').innerText()).not.toContain(String(token))
    expect(await page.content()).not.toContain(String(token))
  })

  it('at the end of the shown part of a long body are hidden', async () => {
    const u = await startUnderstudy({ databases: new RecordingDatabases() })
    const { receive_url } = await ok(await u.instanode.connect(), 'create_webhook', { name: 'ci' })
    const post = (chars: number) =>
      send(String(receive_url), { body: `${'x'.repeat(chars - 16)}postgres://u:QQQQQQQQQQ@127.0.0.1/db` })
    // The lengths of a delivery's line, of a delivery in the state, and of a shown body.
    for (const chars of [80, 2000, 20_000]) await post(chars)
    const page = await openPage(u.control.url)
    await page.getByRole('article', { name: 'Receiver ci' }).locator('summary').nth(2).waitFor()
    await page
      .getByRole('button', { name: /^POST .webhook/ })
      .first()
      .click()
    await page.getByText('more characters. The journal has the whole body.').waitFor()
    expect(await page.content()).not.toContain('QQ')
  })

  it('of resources are not sent to the page until they are clicked', async () => {
    const u = await startUnderstudy({ databases: new RecordingDatabases() })
    const { connection_url } = await createPostgres(await u.instanode.connect(), 'scratch')
    const password = new URL(connection_url).password
    const page = await openPage(u.control.url)
    const url = page.getByRole('button', { name: /^URL of scratch: .*\[masked\]/ })
    await url.waitFor()
    expect(await page.content()).not.toContain(password)
    await url.click()
    await page.getByText(connection_url).waitFor()
    await page.getByRole('button', { name: 'URL of scratch: postgres://' }).click()
    await url.waitFor()
    expect(await page.content()).not.toContain(password)
  })

  it('that were revealed are hidden again when the instance is reset and the same ids return', async () => {
    const u = await startUnderstudy()
    const say = async () => {
      const agent = await u.safebot.connect({ handle: 'alice' })
      const { url, room_id } = await ok(agent, 'create_room')
      await ok(agent, 'send_message', { url, text: 'for the two of us' })
      return room_id
    }
    const before = await say()
    const page = await openPage(u.control.url)
    await page.getByRole('button', { name: 'show texts' }).click()
    await page.getByText('for the two of us').waitFor()
    await u.reset()
    expect(await say()).toBe(before)
    await page.getByRole('button', { name: 'show texts' }).waitFor()
    expect(await page.getByText('for the two of us').count()).toBe(0)
  })

  it('in rooms are encrypted until they are requested, and stay encrypted if this instance has no key', async () => {
    const u = await startUnderstudy()
    const agent = await u.safebot.connect({ handle: 'alice' })
    const { url, room_id } = await ok(agent, 'create_room')
    await ok(agent, 'send_message', { url, text: 'for the two of us' })
    const sealed = { ciphertext: 'c2VhbGVkIGVsc2V3aGVyZQ==', nonce: 'A'.repeat(32), sender: 'curl' }
    await send(`${u.safebot.apiUrl}/api/rooms/elsewhere/messages`, { body: sealed })
    const page = await openPage(u.control.url)
    const ours = page.getByRole('article', { name: `Room ${room_id}` })
    const theirs = page.getByRole('article', { name: 'Room elsewhere' })
    await theirs.getByText('This instance does not have the room’s key').waitFor()
    expect(await theirs.getByRole('button', { name: 'show texts' }).count()).toBe(0)
    await ours.getByRole('button', { name: 'show texts' }).click()
    await ours.getByText('for the two of us').waitFor()
    await ours.getByRole('button', { name: 'hide texts' }).click()
    await ours.getByText('for the two of us').waitFor({ state: 'detached' })
  })
})
