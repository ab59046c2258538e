import { expect, it } from 'vitest'
import { Command } from '../support/clients/command.js'
import { rpc, send } from '../support/clients/raw-http.js'
import { openPage } from './support/open-page.js'

/** Starts the built command. @param controlPort port of the control plane, or 0 for a free port */
async function up(controlPort: number) {
  const args = [
    'up',
    '--instanode-port',
    '0',
    '--safebot-port',
    '0',
    '--control-port',
    `${controlPort}`,
    '--json',
  ]
  const command = new Command([...args, '--clock', 'manual', '--seed', 'restart'])
  const [line = ''] = await command.lines(1)
  const { safebot, control } = JSON.parse(line)
  const called = (handle: string) =>
    send(safebot.mcp, {
      body: rpc('tools/call', { name: 'create_room', arguments: {} }, 1),
      headers: { 'X-Safebot-Handle': handle },
    })
  return { command, called, url: String(control.url) }
}

it('reports that the process has ended, and shows the next process on the same port', async () => {
  const first = await up(0)
  await first.called('before-one')
  await first.called('before-two')
  const page = await openPage(first.url)
  await page.getByText('2 calls reached the servers').waitFor()
  first.command.process.kill('SIGKILL')
  await first.command.exit
  await page.getByText('disconnected, reconnecting').waitFor()
  // The page still shows the last known calls.
  expect(await page.getByText('before-two').count()).toBe(1)

  const second = await up(Number(new URL(first.url).port))
  await second.called('after')
  await page.getByText('live', { exact: true }).waitFor()
  await page.getByText('1 call reached the servers').waitFor()
  expect(await page.getByText('before-two').count()).toBe(0)
  await second.called('later')
  await page.getByText('later', { exact: true }).waitFor()
})
