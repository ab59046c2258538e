import { readdirSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, it, onTestFinished } from 'vitest'
import { Command } from '../../support/clients/command.js'
import { send } from '../../support/clients/raw-http.js'
import { policyFile } from '../../support/gateway/rehearse.js'
import { until } from '../../support/until.js'

/** A folder for temporary files, and what of embedded databases is in it. */
async function temporaryFolder() {
  const folder = await mkdtemp(join(tmpdir(), 'understudy-test-'))
  onTestFinished(() => rm(folder, { recursive: true, force: true }))
  return {
    env: { TMPDIR: folder },
    directories: () => readdirSync(folder).filter(name => name.startsWith('understudy-databases-')),
  }
}

describe('the temporary directory of a killed process', { timeout: 60_000 }, () => {
  it('is removed by the next start of either command, after SIGKILL', async () => {
    const { env, directories } = await temporaryFolder()
    const start = async () => {
      const command = new Command(['up', '--safebot-port', '0', '--json'], env)
      const ready = JSON.parse((await command.lines(1))[0] ?? '')
      const made = await send(`${ready.instanode.api}/db/new`, { body: '{"name":"rows"}' })
      expect(made.status).toBe(201)
      return command
    }
    const [killed, running] = [await start(), await start()]
    const both = directories()
    expect(both).toHaveLength(2)
    killed.process.kill('SIGKILL')
    await killed.exit
    const next = [0, 1].map(() => new Command(['up', '--safebot-port', '0', '--json'], env))
    for (const command of next) await command.lines(1)
    // One is still in use; the others have made none yet.
    expect(directories()).toHaveLength(1)
    expect(both).toContain(directories()[0])
    running.process.kill('SIGTERM')
    expect((await running.exit).code).toBe(0)
    expect(directories()).toEqual([])
  })

  it.each([
    ['SIGINT', 130],
    ['SIGTERM', 143],
    ['SIGHUP', 129],
  ] as const)('is removed when a rehearsal is ended by %s: exit code %i', async (signal, code) => {
    const { env, directories } = await temporaryFolder()
    const command = new Command(['rehearse', policyFile('policylayer/instanode.json')], env)
    await until(() => directories().length > 0)
    command.process.kill(signal)
    expect(await command.exit).toEqual({
      code,
      stdout: '',
      stderr: `understudy: the rehearsal was interrupted by ${signal}\n`,
    })
    expect(directories()).toEqual([])
  })
})
