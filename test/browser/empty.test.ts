import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import { expect, it } from 'vitest'
import { RecordingDatabases } from '../support/databases/recording-databases.js'
import { startUnderstudy } from '../support/servers/understudy.js'
import { openPage } from './support/open-page.js'
import { startGuarded } from './support/start-guarded.js'

const run = promisify(execFile)

it('has a command in each empty section that fills this section', async () => {
  const u = await startUnderstudy({ databases: new RecordingDatabases() })
  const page = await openPage(u.control.url)
  for (const name of ['Calls', 'Rooms', 'Databases', 'Receivers', 'Faults', 'Overlays']) {
    const command = page.getByRole('region', { name }).getByLabel('Command to try')
    await command.waitFor()
    await run('sh', ['-c', await command.innerText()])
    await command.waitFor({ state: 'detached' })
  }
  expect(await page.getByLabel('Command to try').count()).toBe(0)
})

it('has a command for the gateway that leads to a decision', async () => {
  const { u } = await startGuarded()
  const page = await openPage(u.control.url)
  const command = page.getByRole('region', { name: 'Gateway' }).getByLabel('Command to try')
  await run('sh', ['-c', await command.innerText()])
  await page.getByText('1 call decided, 0 denied').waitFor()
})
