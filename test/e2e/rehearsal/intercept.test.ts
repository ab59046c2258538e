import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, it, onTestFinished } from 'vitest'
import { command, rehearse } from '../../../servers/rehearsal/index.js'
import { COMMAND } from '../../support/clients/command.js'
import { policyFile, wrongOf } from '../../support/gateway/rehearse.js'

const BINARY = process.env.UNDERSTUDY_INTERCEPT
const POLICIES = ['instanode.yaml', 'instanode-strict.yaml', 'safebot.yaml', 'safebot-strict.yaml']
const ALLOW_ALL = join(import.meta.dirname, '../../support/gateway/policies/allow-all.json')

/** The known differences between Intercept and its own policy. See the facts for the built-in gateway. */
const KNOWN = [
  {
    what: 'arguments that are no object pass unjudged',
    row: /with a (list|text) for arguments: is denied by \(arguments\)/,
  },
  { what: 'a batch on a pipe passes unjudged', row: /^a batch: .*but it reached the upstream/ },
  {
    what: 'a batch over a bridge or proxy comes back in pieces',
    row: /^a batch: .*(did not reach|was not told)/,
  },
]

/** Each of its three ways, with its own home: its counters are kept there, and shared by all that have it. */
const MODES = [
  {
    mode: 'in front of a child on pipes',
    pipes: true,
    args: ['--', process.execPath, COMMAND, 'gateway', ALLOW_ALL, '--upstream', '{upstream}'],
  },
  {
    mode: 'as a proxy over HTTP',
    pipes: false,
    args: ['--transport', 'http', '--upstream', '{upstream}', '--port', '{port}'],
  },
  {
    mode: 'as a bridge from a pipe to HTTP',
    pipes: true,
    args: ['--upstream', '{upstream}', '--header', 'Authorization: Bearer understudy-paid-token'],
  },
]

describe.runIf(BINARY === undefined)('Intercept', () => {
  it('was not tested', context => {
    context.skip('UNDERSTUDY_INTERCEPT names no binary, so that nothing was rehearsed through it')
  })
})

describe.runIf(BINARY !== undefined)('Intercept', () => {
  describe.each(MODES)('$mode', ({ pipes, args }) => {
    it.each(POLICIES)('does what %s says, except for known differences', async name => {
      const home = await mkdtemp(join(tmpdir(), 'understudy-intercept-'))
      onTestFinished(() => rm(home, { recursive: true, force: true }))
      const policy = policyFile(`intercept/${name}`)
      const template = ['env', `HOME=${home}`, String(BINARY), '-c', '{policy}', '--state-dir', home, ...args]
      const rehearsal = await rehearse({
        policy,
        // The binary is built from commit 77f0429.
        dialect: 'intercept@2026-03',
        via: command({ template, policyFile: policy, pipes }),
      })
      const wrong = wrongOf(rehearsal)
      const known = KNOWN.filter(({ row }) => wrong.some(line => row.test(line)))
      process.stderr.write(`${name}: ${known.map(({ what }) => what).join('; ') || 'no difference'}\n`)
      expect(wrong.filter(line => !KNOWN.some(({ row }) => row.test(line)))).toEqual([])
      expect(rehearsal.counts.ok).toBeGreaterThan(10)
    })
  })
})
