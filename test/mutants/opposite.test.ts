import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, it, onTestFinished } from 'vitest'
import { type Policy, readPolicyFile } from '#built/servers/gateway/policy/index.js'
import { builtin, rehearse } from '#built/servers/rehearsal/index.js'
import { CALL_CHECKS } from '#built/servers/rehearsal/judge.js'
import { LIST_CHECKS, RELAY_CHECKS } from '#built/servers/rehearsal/judge-exchange.js'
import { GATEWAYS } from './gateways/index.js'
import { policyPath } from './policies/loosen.js'
import { proxied } from './proxy/way.js'
import { brokenGateway, type Mutant, runMutant } from './run-mutant.js'

/** Two tools that are allowed, one that is hidden, and no limits: its rehearsal is short. */
const SMALL_POLICY = 'small.json'

/** Longer than the second after which a mutant forwards a call, in milliseconds. */
const LATE_MS = 3000

/** For each check, a mutant that no other check finds. */
const ONLY_FOUND_BY: Readonly<Record<string, string | (() => Promise<Mutant>)>> = {
  meaning: () => otherMeaning({ call: 'room_status', args: { url: '$room' }, expect: 'deny' }),
  reach: 'lets-one-less-pass',
  once: 'retries-rpc-errors',
  tool: 'calls-another-tool',
  arguments: 'lengthens-waits',
  denial: 'denies-and-forwards',
  delay: lateForward,
  notice: 'denies-as-success',
  rule: otherRule,
  id: 'answers-under-a-text-id',
  answer: 'drops-structured-content',
  status: 'answers-with-status-500',
  credential: 'passes-the-bearer',
  secrecy: 'shows-the-credential-in-headers',
  account: 'changes-the-account',
  intent: () => otherMeaning({ list: 'safebot', hides: ['room_status'] }),
  hidden: 'lists-hidden-tools',
  listed: 'drops-a-tool',
  definitions: 'strips-titles',
  initialized: 'swallows-initialized',
  cancellation: 'swallows-cancellation',
  progress: 'swallows-progress',
  strays: 'calls-by-itself',
}

describe('each check of the judge', () => {
  it('has a mutant here', () => {
    const checks = [CALL_CHECKS, LIST_CHECKS, RELAY_CHECKS].flatMap(part => Object.keys(part))
    expect(Object.keys(ONLY_FOUND_BY).sort()).toEqual([...checks, 'strays'].sort())
  })

  it.each(Object.entries(ONLY_FOUND_BY))(
    '%s finds a mutant that is missed without it',
    async (check, named) => {
      const mutant = typeof named === 'string' ? gateway(named) : await named()
      expect(await runMutant(mutant)).toMatchObject({ verdict: 'found' })
      expect(await runMutant(mutant, [check])).toMatchObject({ verdict: 'missed' })
    },
  )
})

function gateway(name: string): Mutant {
  const mutant = GATEWAYS.find(each => each.name === name)
  if (mutant === undefined) throw new TypeError(`no mutant is called ${name}`)
  return brokenGateway({ policy: SMALL_POLICY, ...mutant })
}

/** Does what the policy says and not what the author of a scenario expects. */
async function otherMeaning(step: object): Promise<Mutant> {
  const scenario = await scenarioOf(step)
  return {
    kind: 'policy',
    name: 'other meaning',
    does: 'allows or lists what the scenario expects to be denied or hidden',
    rehearse: without => rehearse({ policy: policyPath(SMALL_POLICY), scenario, without }),
  }
}

/**
 * Forwards a denied call one second after the denial.
 *
 * The scenario makes one call. In a longer rehearsal, the same call may be under way again by then.
 */
async function lateForward(): Promise<Mutant> {
  const scenario = await scenarioOf({ call: 'next_task', args: { url: '$room' } }, { list: 'safebot' })
  const file = policyPath(SMALL_POLICY)
  const { policy } = await readPolicyFile(file)
  const broken = GATEWAYS.find(({ name }) => name === 'denies-and-forwards-later')
  return {
    kind: 'gateway',
    name: 'late forward',
    does: 'forwards a denied call later',
    rehearse: without =>
      rehearse({ policy: file, scenario, via: proxied(policy, broken), without, watchMs: LATE_MS }),
  }
}

/** The file of a scenario, which is gone when the test is over. */
async function scenarioOf(...steps: object[]): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'understudy-mutants-'))
  onTestFinished(() => rm(folder, { recursive: true }))
  const file = join(folder, 'scenario.json')
  await writeFile(file, JSON.stringify({ steps }))
  return file
}

/** Denies as the policy says, and names another rule. */
async function otherRule(): Promise<Mutant> {
  const file = policyPath('policylayer/safebot-strict.json')
  const { policy } = await readPolicyFile(file)
  const renamed: Policy = {
    ...policy,
    tools: new Map(
      [...policy.tools].map(([tool, rules]) => [
        tool,
        rules.map(rule => ({ ...rule, name: `other ${rule.name}` })),
      ]),
    ),
  }
  return {
    kind: 'policy',
    name: 'other rule',
    does: 'names another rule',
    rehearse: without => rehearse({ policy: file, via: builtin(renamed), without }),
  }
}
