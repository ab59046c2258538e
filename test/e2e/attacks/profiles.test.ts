import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { attackNames, readAttacks } from '../../../servers/understudy/attacks.js'
import { Command } from '../../support/clients/command.js'
import { startUnderstudy } from '../../support/servers/understudy.js'

const FOLDER = join(import.meta.dirname, '../../../fixtures/attacks')
const names = await attackNames()

describe('the attack profiles', () => {
  it('are fourteen, each in the table of docs/attacks.md', () => {
    const table = readFileSync(join(FOLDER, '../../docs/attacks.md'), 'utf8')
    expect(names).toHaveLength(14)
    expect(names.filter(name => !table.includes(`| \`${name}\` |`))).toEqual([])
  })

  it.each(names)('%s has a name of its own, contacts no real host, and has canaries', async name => {
    const [attack] = await readAttacks([name])
    expect(attack?.name).toBe(name)
    const text = readFileSync(join(FOLDER, `${name}.json`), 'utf8')
    const hosts = [...text.matchAll(/[a-z]+:\/\/(?:[^/@"\s]*@)?([^/:"\s]+)/g)].map(([, host]) => host)
    expect(hosts.filter(host => !host?.endsWith('.invalid'))).toEqual([])
  })

  it('are off by default', async () => {
    const understudy = await startUnderstudy()
    expect(understudy.attacks).toEqual([])
    expect(understudy.catalogue.list()).toEqual([])
    expect(understudy.faults.list()).toEqual([])
    expect(understudy.journal.entries()).toEqual([])
  })

  it('with an unknown name are refused, with the known names', async () => {
    await expect(startUnderstudy({ attack: 'phishing' })).rejects.toMatchObject({
      sentence: expect.stringContaining(
        'there is no attack "phishing": there are compromised-mcp-package, confused-deputy',
      ),
    })
  })

  it('are named on stdout and stderr when the command starts', async () => {
    const ports = ['--instanode-port', '0', '--safebot-port', '0', '--seed', 'x']
    const command = new Command([
      'up',
      ...ports,
      '--attack',
      'mcp-rug-pull',
      '--attack',
      'indirect-prompt-injection',
    ])
    const lines = await command.lines(14)
    command.process.kill('SIGTERM')
    expect(lines.join('\n')).toMatch(
      /# {3}HOSTILE: mcp-rug-pull is on\. .*\n#\n# {3}HOSTILE: indirect-prompt-injection is on\..*\n# +shared: http:/,
    )
    expect((await command.exit).stderr).toMatch(/HOSTILE: the attack mcp-rug-pull is on/)
  })

  it('have no effect on a server on a pipe', async () => {
    const { code, stderr } = await new Command(['safebot', '--attack', 'mcp-rug-pull']).exit
    expect(stderr).toContain('safebot has no option --attack')
    expect(code).toBe(2)
  })
})
