import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { build } from 'esbuild'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { readPolicyFile } from '#built/servers/gateway/policy/index.js'
import { command, type Rehearsal, rehearse } from '#built/servers/rehearsal/index.js'

import { fixturePolicies, ORIGINALS, policyPath } from './policies/loosen.js'
import { proxied } from './proxy/way.js'

/** What is wrong, as `step: why`. */
function wrongOf({ rows }: Rehearsal): string[] {
  return rows.filter(({ mark }) => mark === 'wrong').map(({ step, why }) => `${step}: ${why}`)
}

describe('the proxy with every switch off', () => {
  let folder = ''
  let program = ''

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'understudy-mutants-'))
    program = join(folder, 'proxy.mjs')
    await build({
      entryPoints: ['test/mutants/proxy/main.ts'],
      bundle: true,
      platform: 'node',
      format: 'esm',
      mainFields: ['module', 'main'],
      outfile: program,
      // Packages that are CommonJS need it.
      banner: {
        js: "import { createRequire } from 'node:module'; const require = createRequire(import.meta.url)",
      },
      logLevel: 'error',
    })
  })

  afterAll(() => rm(folder, { recursive: true, force: true }))

  it.each(ORIGINALS)('does what %s says, over HTTP', async name => {
    const file = policyPath(name)
    const { policy } = await readPolicyFile(file)
    const rehearsal = await rehearse({ policy: file, via: proxied(policy) })
    expect(wrongOf(rehearsal)).toEqual([])
    expect(rehearsal.counts.ok).toBeGreaterThan(10)
  })

  it.each(fixturePolicies())('does what %s says, on its pipes', async name => {
    const policyFile = policyPath(name)
    const credential = ['--credential', 'Bearer understudy-paid-token']
    const template = [
      process.execPath,
      program,
      '--policy',
      '{policy}',
      '--upstream',
      '{upstream}',
      ...(name.includes('instanode') ? credential : []),
    ]
    const rehearsal = await rehearse({
      policy: policyFile,
      via: command({ template, policyFile, pipes: true }),
    })
    expect(wrongOf(rehearsal)).toEqual([])
    // A minute that turns in the middle leaves rows unchecked.
    expect(rehearsal.ok).toBe(true)
  })
})
