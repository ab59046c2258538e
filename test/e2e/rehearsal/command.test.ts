import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { COMMAND, Command } from '../../support/clients/command.js'
import { policyFile, temporaryFile } from '../../support/gateway/rehearse.js'

const POLICY = policyFile('intercept/safebot.yaml')
const CLAIM_TASK = policyFile('policylayer/safebot.claim-task.json')
const GATEWAY = [process.execPath, COMMAND, 'gateway']
const PORT = ['--upstream', '{upstream}', '--port', '{port}']

function rehearse(...args: string[]) {
  return new Command(['rehearse', '--dialect', 'intercept@2026-04', ...args]).exit
}

describe('understudy rehearse', () => {
  it('prints a table, and exits 0', async () => {
    const { code, stdout } = await rehearse(POLICY)
    expect(stdout).toMatch(
      /^ {2}wait_for_messages, one more +deny: wait_for_messages a minute .* not reached +ok$/m,
    )
    expect(stdout).toMatch(/\n87 rows: 87 ok, 0 wrong, 0 not checked\n$/)
    expect(code).toBe(0)
  })

  it('prints one JSON document with --json', async () => {
    const { stdout } = await rehearse(POLICY, '--json')
    const report = JSON.parse(stdout)
    expect(report).toMatchObject({
      ok: true,
      via: 'the builtin gateway',
      counts: { ok: 87, wrong: 0, unchecked: 0 },
    })
    expect(report.rows[2].calls[0]).toMatchObject({
      expected: 'allow',
      rule: null,
      mark: 'ok',
      reached: [expect.any(Number)],
    })
  })

  it('ends without a stack trace when the reader of its output has ended', async () => {
    const command = new Command(['rehearse', CLAIM_TASK, '--json'])
    command.process.stdout.destroy()
    const { code, stderr } = await command.exit
    expect([code, stderr]).toEqual([0, ''])
  })

  it('starts another gateway, and lists what it does not check', async () => {
    const { code, stdout } = await rehearse(POLICY, '--via', '--', ...GATEWAY, '{policy}', ...PORT)
    expect(stdout).toContain('87 rows: 81 ok, 0 wrong, 6 not checked')
    expect(stdout).toContain("this gateway uses the machine's clock")
    expect(code).toBe(0)
  })

  it('uses the pipes of a gateway', async () => {
    const { code, stdout } = await rehearse(
      POLICY,
      '--via',
      'stdio',
      '--watch',
      '0',
      '--',
      ...GATEWAY,
      '{policy}',
      '--upstream',
      '{upstream}',
    )
    expect(stdout).toContain('76 rows: 70 ok, 0 wrong, 6 not checked')
    expect(code).toBe(0)
  })

  it('exits 1 for a gateway that enforces another policy, and names the rows', async () => {
    const other = await temporaryFile('other.yaml', 'version: "1"\ndefault: allow\n')
    const { code, stdout } = await rehearse(POLICY, '--watch', '0', '--', ...GATEWAY, other, ...PORT)
    expect(stdout).toContain(
      'wait_for_messages, one more (wait_for_messages a minute: 10 per minute): is denied by',
    )
    expect(code).toBe(1)
  })

  it('exits 1 for an invalid policy, with its problems', async () => {
    const file = await temporaryFile('policy.json', '{"version":"2","default":"deny","tols":{}}')
    const { code, stderr } = await rehearse(file)
    expect(stderr).toMatch(/policy\.json:1: does not know "tols".*\n.*version is "2"/)
    expect(code).toBe(1)
  })

  it('exits 1 for a gateway that does not start', async () => {
    const { code, stderr } = await rehearse(
      POLICY,
      '--',
      process.execPath,
      '-e',
      'console.error("no licence"); process.exit(3)',
      '{port}',
    )
    expect(stderr).toMatch(/the gateway ".*" ended with code 3, and said: no licence/)
    expect(code).toBe(1)
  })

  it('rehearses several policies one after another, and writes one report for a CI server', async () => {
    const file = await temporaryFile('junit.xml', '')
    const other = policyFile('policylayer/safebot.claim-task.json')
    const { code, stdout } = await rehearse(POLICY, other, '--junit', file)
    expect(stdout.match(/ rows: \d+ ok, 0 wrong, 0 not checked$/gm)).toHaveLength(2)
    const xml = readFileSync(file, 'utf8')
    expect(xml).toMatch(/^<testsuites name="understudy rehearse" tests="\d+" failures="0" skipped="0">$/m)
    expect(xml.match(/<testsuite name="[^"]+safebot/g)).toHaveLength(2)
    expect(xml).toContain('name="wait_for_messages, one more"/>')
    expect(code).toBe(0)
  })

  it('prints several rehearsals as one JSON document', async () => {
    const { stdout } = await rehearse(CLAIM_TASK, CLAIM_TASK, '--json')
    expect(JSON.parse(stdout)).toMatchObject({ ok: true, rehearsals: [{ ok: true }, { ok: true }] })
  })

  it('exits 1 with --strict for a row that it could not check', async () => {
    const policy = policyFile('policylayer/instanode-strict.json')
    const { code, stdout } = await rehearse(policy, '--strict')
    expect(stdout).toMatch(/ 0 wrong, 1 not checked\n$/)
    expect(code).toBe(1)
  })

  it.each([
    [[], 'rehearse has no policy'],
    [[POLICY, '--via', 'somewhere'], '--via is "somewhere"'],
    [[POLICY, POLICY, '--via', 'http://127.0.0.1:9/mcp'], 'a running gateway enforces one policy'],
    [
      [POLICY, '--timeout', 'soon'],
      '--timeout is "soon": use a number of seconds, or a number with the unit ms, s, m or h',
    ],
    [[POLICY, '--server', 'third'], '--server is "third"'],
    [[POLICY, '--bearer', 'x'], '--bearer cannot be used with the builtin gateway'],
  ])('exits 2 for %j', async (args, why) => {
    const { code, stderr } = await rehearse(...args)
    expect(stderr).toContain(why)
    expect(code).toBe(2)
  })

  it('asks for the server of a policy that names no tools', async () => {
    const file = await temporaryFile(
      'policy.json',
      '{"version":"1","default":"deny","tools":{"other_tool":{}}}',
    )
    const { code, stderr } = await rehearse(file)
    expect(stderr).toContain('names other_tool, of neither server: say which it is for with --server')
    expect(code).toBe(2)
  })
})
