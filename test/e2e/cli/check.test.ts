import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, it, onTestFinished } from 'vitest'
import { Command } from '../../support/clients/command.js'

const fixture = (name: string) => join(import.meta.dirname, '../../../fixtures/policies', name)

async function file(name: string, text: string): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'understudy-'))
  onTestFinished(() => rm(folder, { recursive: true }))
  const path = join(folder, name)
  await writeFile(path, text)
  return path
}

const check = (...args: string[]) => new Command(['check', ...args]).exit

describe('understudy check', () => {
  it('explains each tool of a policy, and warns of likely mistakes', async () => {
    const path = fixture('policylayer/instanode.json')
    const { code, stdout, stderr } = await check(path)
    expect([code, stderr]).toEqual([0, ''])
    expect(stdout).toContain(
      `${path}: read as PolicyLayer policy.json; tools that it does not name are denied\n`,
    )
    expect(stdout).toMatch(/^ {2}claim_token +limited +at most 30 a minute, for each grant$/m)
    expect(stdout).toMatch(/^Looks wrong:\n {2}- get_api_token looks like a read/m)
  })

  it('validates a scenario, and explains the expectation of each step', async () => {
    const text = [
      'steps:',
      '  - { call: room_status, times: 35, limit: { calls: 30, per: 60s, kind: bucket } }',
      '  - { call: create_room, as: reviewer }',
      '  - { list: safebot, hides: [create_room] }',
    ].join('\n')
    const path = await file('scenario.yaml', text)
    const { code, stdout } = await check(path)
    expect(stdout.split('\n')).toEqual([
      `${path}: a scenario of 3 steps`,
      '',
      '  room_status × 35          allow, up to 30 per minute, as a bucket',
      '  create_room, by reviewer  by the policy',
      '  tools/list of safebot     without create_room',
      '',
      'Worth knowing:',
      `  - ${path}:3: scenario.steps[1] has no expect: rehearse it with a policy, which determines the outcome`,
      '',
    ])
    expect(code).toBe(0)
  })

  it('ends with 1 for an invalid scenario, and names the line', async () => {
    const path = await file('scenario.yaml', 'steps:\n  - { call: room_status, expect: maybe }\n')
    const { code, stdout } = await check(path, '--json')
    const problem = `${path}:2: scenario.steps[0].expect is "maybe": it is allow, deny or approve`
    expect(JSON.parse(stdout)).toEqual({ file: path, kind: 'scenario', valid: false, problems: [problem] })
    expect(code).toBe(1)
  })

  it('says that it read the form of the tool pages', async () => {
    const { code, stdout } = await check(fixture('intercept/safebot.claim-task.yaml'))
    expect(code).toBe(0)
    expect(stdout).toContain("read as the form printed on PolicyLayer's tool pages")
  })

  it('names the dialect that it used, and the dialect that the file needs', async () => {
    const asking = await file(
      'p.yaml',
      'version: "1"\ntools:\n  delete_resource:\n    rules: [{ name: ask, action: require_approval }]\n    spend: { daily: 50.00 }\n',
    )
    const { code, stdout } = await check(asking)
    expect([code, stdout]).toEqual([
      0,
      expect.stringContaining(
        'read as Intercept YAML by intercept@2026-04; tools that it does not name are allowed\n',
      ),
    ])
    expect(stdout).toMatch(
      /^ {2}delete_resource +approval +each call needs approval; pays at most 50 a day$/m,
    )
    expect(stdout).toContain(': the policy needs intercept@2026-04\n')
    expect(stdout).toContain('The built-in gateway refuses to start with such a policy')
    const earlier = await check(asking, '--dialect', 'intercept@2026-03')
    expect(earlier.code).toBe(1)
    expect(earlier.stdout).toContain(
      'which intercept@2026-03 does not have: intercept@2026-04 has it: read the policy',
    )
    expect((await check(fixture('intercept/safebot.yaml'))).stdout).toContain(
      'read as Intercept YAML by intercept@2026-04 (intercept@2026-03 would do); ',
    )
    const { stdout: json } = await check('--json', fixture('intercept/safebot.yaml'))
    expect(JSON.parse(json)).toMatchObject({ version: 'intercept@2026-04', needs: 'intercept@2026-03' })
  })

  it('refuses a file that is not UTF-8, with the line', async () => {
    const path = await file('p.yaml', '')
    await writeFile(path, Buffer.from('version: "1"\ndescription: caf\xe9\n', 'latin1'))
    const { code, stdout } = await check(path)
    expect([code, stdout]).toEqual([1, expect.stringContaining(`${path}:2: has bytes that are not UTF-8`)])
  })

  it('lists every problem of a file with its line, and ends with 1', async () => {
    const path = await file('policy.json', '{\n"version": "2",\n"defualt": "deny",\n}')
    const { code, stdout } = await check(path)
    expect(code).toBe(1)
    expect(stdout.split('\n')).toEqual([
      expect.stringContaining(`${path}:1: has no default: `),
      `${path}:2: version is "2": write "1" in quotes, which is the only version`,
      expect.stringContaining(`${path}:3: does not know "defualt": "default" is probably meant; `),
      `${path}:4: has a comma before its }: JSON has no comma after the last value: remove it`,
      '',
      `${path} is not a valid policy: 4 problems. No rule of this file would be enforced.`,
      '',
    ])
  })

  it('prints one line with --json, for a valid file and an invalid one', async () => {
    const good = await check('--json', fixture('intercept/safebot.yaml'))
    expect(JSON.parse(good.stdout)).toMatchObject({
      kind: 'policy',
      valid: true,
      dialect: 'intercept',
      default: 'deny',
      tools: expect.arrayContaining([{ tool: 'claim_task', verdict: 'allowed', words: 'every call' }]),
      warnings: expect.arrayContaining([
        expect.objectContaining({ code: 'read_that_writes', tool: 'claim_task' }),
      ]),
    })
    const bad = await check('--json', await file('p.yaml', 'version: "1"\ntools:\n  t: { rule: [] }'))
    expect([bad.code, JSON.parse(bad.stdout)]).toEqual([
      1,
      expect.objectContaining({
        valid: false,
        problems: [
          {
            line: 3,
            key: 'tools.t',
            message: 'does not know "rule"',
            remedy: expect.stringContaining('"rules"'),
          },
        ],
      }),
    ])
  })

  it('with --strict, ends with 1 for a warning', async () => {
    expect((await check('--strict', fixture('policylayer/instanode.json'))).code).toBe(1)
    expect((await check('--strict', fixture('policylayer/instanode-strict.json'))).code).toBe(0)
  })

  it.each([
    [[], 2, 'check has no file'],
    [['a.json', 'b.json'], 2, 'unexpected "b.json"'],
    [['nowhere.json'], 1, '"nowhere.json"'],
    [['.'], 1, 'cannot read "."'],
  ])('%j ends with one sentence and exit code %d', async (args, code, part) => {
    const exit = await check(...args)
    expect([exit.code, exit.stdout]).toEqual([code, ''])
    expect(exit.stderr).toMatch(/^understudy: [^\n]+\n$/)
    expect(exit.stderr).toContain(part)
  })
})
