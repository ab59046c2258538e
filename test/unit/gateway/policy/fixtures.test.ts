import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { explainPolicy } from '../../../../servers/gateway/policy/explain.js'
import { KNOWN_TOOLS } from '../../../../servers/gateway/policy/known-tools.js'
import { readPolicy } from '../../../../servers/gateway/policy/read-policy.js'
import { reviewPolicy } from '../../../../servers/gateway/policy/review.js'

const root = join(import.meta.dirname, '../../../../fixtures/policies')
const files = ['policylayer', 'intercept'].flatMap(folder =>
  readdirSync(join(root, folder)).map(name => [folder, name] as const),
)

const read = (folder: string, name: string) =>
  readPolicy(readFileSync(join(root, folder, name), 'utf8'), name)
const verdicts = (folder: string, name: string) =>
  Object.fromEntries(explainPolicy(read(folder, name).policy).map(({ tool, verdict }) => [tool, verdict]))

it.each(files)('%s/%s is valid, and names only existing tools', (folder, name) => {
  const reading = read(folder, name)
  const page = folder === 'intercept' && /\.claim-/.test(name)
  expect(reading.dialect).toBe(page ? 'policylayer-page' : folder)
  expect(reviewPolicy(reading).filter(({ code }) => /unknown|contradiction|hidden_rules/.test(code))).toEqual(
    [],
  )
})

it.each(files.filter(([, name]) => name.includes('-strict')))('%s/%s causes no warning', (folder, name) => {
  expect(reviewPolicy(read(folder, name)).filter(({ level }) => level === 'warning')).toEqual([])
})

describe('the published policies', () => {
  it.each(['instanode', 'safebot'] as const)(
    'mean the same in both dialects for every tool of %s',
    server => {
      const published = verdicts('policylayer', `${server}.json`)
      expect(verdicts('intercept', `${server}.yaml`)).toEqual(published)
      const tools = Object.entries(KNOWN_TOOLS).flatMap(([name, known]) =>
        known.server === server ? [name] : [],
      )
      expect(Object.keys(published)).toEqual(tools)
    },
  )

  // fidelity gateway/policylayer, same: Under `deny`, a tool with the entry `{}` passes.
  it('allow thirty writes and ten long polls a minute, and hide the destructive tool', () => {
    const limits = ['instanode', 'safebot'].flatMap(server =>
      explainPolicy(read('policylayer', `${server}.json`).policy).map(({ tool, words }) => [tool, words]),
    )
    expect(Object.fromEntries(limits)).toMatchObject({
      claim_token: 'at most 30 a minute, for each grant',
      send_message: 'at most 30 a minute, for each grant',
      wait_for_messages: 'at most 10 a minute, for each grant',
      claim_task: 'every call',
      delete_resource: 'left out of the list of tools, and denied',
    })
  })
})
