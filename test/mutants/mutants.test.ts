import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { build } from 'esbuild'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { EQUIVALENT } from './gateways/equivalent.js'
import { loosened } from './policies/loosen.js'
import { brokenGateway, correctOnPipes, correctOverHttp, loosenedPolicy, runMutant } from './run-mutant.js'

/** A part of what `npm run mutants` runs: all twelve policies of fixtures/ there, both ways. */
describe('the proxy without a defect', () => {
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

  it.each(['intercept/safebot.yaml', 'policylayer/instanode.claim-token.json', 'small.json'])(
    'does what %s says, over HTTP',
    async name => expect(await runMutant(correctOverHttp(name))).toMatchObject({ verdict: 'equivalent' }),
  )

  it.each(['policylayer/safebot.claim-task.json', 'intercept/instanode.claim-token.yaml'])(
    'does what %s says, on its pipes',
    async name =>
      expect(await runMutant(correctOnPipes(name, program))).toMatchObject({ verdict: 'equivalent' }),
  )
})

/** A part of what `npm run mutants` runs. For the broken gateways see opposite.test.ts. */
describe('the judge', () => {
  const policies = ['small.json', 'approvals.json', 'approvals.yaml', 'policylayer/safebot.claim-task.json']

  it.each(policies.flatMap(name => loosened(name).map(loosenedPolicy)))('finds $name', async mutant => {
    expect(await runMutant(mutant)).toMatchObject({ verdict: 'found' })
  })

  it.each(EQUIVALENT)('accepts a gateway that $does', async mutant => {
    const small = brokenGateway({ policy: 'small.json', ...mutant })
    expect(await runMutant(small)).toMatchObject({ verdict: 'equivalent' })
  })
})
