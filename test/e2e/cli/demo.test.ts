import { describe, expect, it } from 'vitest'
import { Command } from '../../support/clients/command.js'
import { temporaryFile } from '../../support/gateway/rehearse.js'
import { until } from '../../support/until.js'

const SCENES = [
  '[1/7] An agent without an account creates two databases',
  '[2/7] A webhook receiver gets a request',
  '[3/7] A paid account claims resources',
  '[4/7] The 31st call in a minute is denied',
  '[5/7] A deletion waits for an approval',
  '[6/7] A worker crashes with a claimed task',
  '[7/7] A day passes',
]

const fast = (...more: string[]) => new Command(['demo', '--fast', '--control-port', '0', ...more])

const scenesOf = (stdout: string) => stdout.split('\n').filter(line => line.startsWith('['))

describe('understudy demo', () => {
  it('--fast plays every scene in order, and ends with 0', async () => {
    const { code, stdout, stderr } = await fast().exit
    expect([code, stderr]).toEqual([0, ''])
    expect(scenesOf(stdout)).toEqual(SCENES)
    expect(stdout).toMatch(/^Watch it in a browser: http:\/\/127\.0\.0\.1:\d+\n/)
    expect(stdout).toMatch(/\nAll checks passed: 44 calls, 2 denied by policy, 42 reached the servers\.\n$/)
  })

  it('prints the same text every time, except for ports, process ids and journal numbers, and has no colours without a terminal', async () => {
    const [one, other] = await Promise.all([fast().exit, fast().exit])
    const told = ({ stdout }: typeof one) =>
      stdout.replace(/127\.0\.0\.1:\d+/g, 'HERE').replace(/(process |kill -9 |entry #)\d+/g, '$1N')
    expect(told(one)).toBe(told(other))
    expect(one.stdout).not.toContain('\u001b')
  })

  it('names the scene in which the policy does not do what the text says, and ends with 1', async () => {
    const policy = await temporaryFile('open.json', '{"version":"1","default":"allow","tools":{}}')
    const { code, stdout, stderr } = await fast('--policy', `instanode=${policy}`).exit
    expect(code).toBe(1)
    expect(scenesOf(stdout)).toEqual(SCENES.slice(0, 4))
    expect(stderr).toBe(
      'understudy: scene 4 of 7 ("The 31st call in a minute is denied") failed: claim_token: expected a denial ' +
        'by the policy, and no call that reached a server, got a result (calls that reached a server: 1)\n',
    )
  })

  it('ends at once on SIGINT, with the exit code of Ctrl-C', async () => {
    const command = new Command(['demo', '--control-port', '0'])
    const [watch = ''] = await command.lines(1)
    const url = watch.slice('Watch it in a browser: '.length)
    expect((await fetch(url)).status).toBe(200)
    command.process.kill('SIGINT')
    const { code, stdout, stderr } = await command.exit
    expect([code, stderr, scenesOf(stdout)]).toEqual([130, '', []])
    await until(() =>
      fetch(url).then(
        () => false,
        () => true,
      ),
    )
  })

  it('ends without a stack trace when the reader of its output has ended', async () => {
    const command = new Command(['demo', '--fast', '--control-port', '0'])
    await command.lines(1)
    command.process.stdout.destroy()
    const { code, stderr } = await command.exit
    expect([code, stderr]).toEqual([130, ''])
  })

  it('names the policy that it cannot read', async () => {
    const { code, stderr } = await fast('--policy', 'instanode=nowhere.json').exit
    expect([code, stderr]).toEqual([1, expect.stringContaining('"nowhere.json"')])
  })
})
