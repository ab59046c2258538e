import { describe, expect, it } from 'vitest'
import { DIALECT_VERSIONS, type DialectVersion } from '../../../../servers/gateway/policy/dialect-version.js'
import { createEngine } from '../../../../servers/gateway/policy/engine.js'
import { explainPolicy } from '../../../../servers/gateway/policy/explain.js'
import { settlementOf } from '../../../../servers/gateway/policy/model.js'
import { readPolicy } from '../../../../servers/gateway/policy/read-policy.js'
import { Clock } from '../../../../shared/clock/clock.js'
import { engineOf, intercept, policyLayer, problemsOf } from '../../../support/gateway/policy.js'

const [MARCH, APRIL] = DIALECT_VERSIONS
const asking = (more: object = {}) => ({ name: 'ask-first', action: 'require_approval', ...more })
const AMOUNT = { path: 'args.amount', op: 'gt', value: 100 }

/** As Intercept's documentation has it. */
const PUBLISHED = `version: "1"
approvals:
  dedupe_window: "10m"
  notify: { webhook: { url: "https://hooks.example/approvals" } }
tools:
  delete_resource:
    rules:
      - name: ask-first
        action: require_approval
        approval_timeout: "30m"
        conditions: []
        on_deny: "Deletion needs a person"
`

describe('a policy that uses what its version lacks', () => {
  it.each([
    [
      intercept({ t: [asking()] }),
      'tools.t.rules[0].action is require_approval, which intercept@2026-03 does not have',
    ],
    [
      intercept({}, { approvals: { dedupe_window: '5m' } }),
      'approvals is the block approvals, which intercept@2026-03 does not have',
    ],
    [
      intercept({}, { spend: { daily: 50 } }),
      'spend is the block spend, which intercept@2026-03 does not have',
    ],
    [
      'tools: { t: { rules: [{ action: require_approval }] } }',
      'tools.t.rules[0].action is require_approval, which intercept@2026-03 does not have',
    ],
  ])('is refused, with the version that has it: %s', (text, problem) => {
    const read = () => readPolicy(text, 'p.yaml', MARCH)
    expect(read).toThrow(problem)
    expect(read).toThrow('intercept@2026-04 has it: read the policy with --dialect intercept@2026-04')
    expect(readPolicy(text, 'p.yaml').needs).toBe(APRIL)
  })
})

describe('a policy', () => {
  // fidelity gateway/intercept, differs: A webhook tells of each approval, and a command line and an admin
  // API decide. Here: The control plane and the approvals port decide, and a note says so, because the
  // gateway sends no webhooks.
  it('names the version that it needs, in a note with the line', () => {
    const { version, needs, warnings } = readPolicy(PUBLISHED, 'p.yaml')
    expect([version, needs]).toEqual([APRIL, APRIL])
    expect(warnings).toContainEqual({
      code: 'needs_version',
      level: 'note',
      message: 'approvals is the block approvals: the policy needs intercept@2026-04',
      line: 2,
    })
    expect(warnings.map(({ code }) => code)).toContain('webhook_not_sent')
  })

  it('needs the earliest version if that version has all of it', () => {
    const { version, needs, warnings } = readPolicy(intercept({ t: [] }), 'p.yaml')
    expect([version, needs, warnings]).toEqual([APRIL, MARCH, []])
  })

  it('of PolicyLayer is the same in all versions, and has none', () => {
    for (const version of DIALECT_VERSIONS) {
      const reading = readPolicy(policyLayer({ t: {} }), 'p.json', version)
      expect(reading).toMatchObject({ version: null, needs: null, policy: { refundsToolErrors: false } })
    }
  })
})

describe('quota', () => {
  const settled = (version: DialectVersion) => {
    const engine = createEngine(
      readPolicy(intercept({ t: [] }), 'p', version).policy,
      new Clock({ mode: 'manual' }),
    )
    return (['result', 'tool_error', 'rpc_error', 'lost', 'cancelled', 'unanswered'] as const).filter(
      ended => settlementOf(ended, engine) === 'refunded',
    )
  }

  it('is given back for a JSON-RPC error, and in the later version also for a tool error', () => {
    expect(settled(MARCH)).toEqual(['rpc_error'])
    expect(settled(APRIL)).toEqual(['tool_error', 'rpc_error'])
  })
})

describe('require_approval', () => {
  it('uses the terms of its rule and its policy', () => {
    expect(engineOf(PUBLISHED).decide('delete_resource')).toEqual({
      outcome: 'approve',
      rule: 'ask-first',
      message: 'Deletion needs a person',
      intercept: { timeoutMs: 30 * 60_000, dedupeMs: 10 * 60_000 },
    })
    const { decide } = engineOf(intercept({ t: [asking()] }))
    expect(decide('t')).toMatchObject({
      message: 'Needs approval by rule "ask-first"',
      intercept: { timeoutMs: 10 * 60_000, dedupeMs: 10 * 60_000 },
    })
  })

  it('applies only to calls that fulfil its conditions', () => {
    const { outcome } = engineOf(intercept({ t: [asking({ conditions: [AMOUNT] })] }))
    const calls = [{ amount: 101 }, { amount: 100 }, {}]
    expect(calls.map(args => outcome('t', args))).toEqual(['ask-first', 'allow', 'allow'])
    const { policy } = readPolicy(intercept({ claim_token: [asking({ conditions: [AMOUNT] })] }), 'p')
    expect(explainPolicy(policy).find(({ tool }) => tool === 'claim_token')).toMatchObject({
      verdict: 'approval',
      words: 'a call needs approval if args.amount is more than 100',
    })
  })

  it.each([
    ['"90s"', 90_000],
    ['"1h30m"', 5_400_000],
    ['"1.5m"', 90_000],
    ['"250ms"', 250],
  ])('accepts the duration %s, as Go writes it', (timeout, ms) => {
    const { decide } = engineOf(intercept({ t: [asking({ approval_timeout: JSON.parse(timeout) })] }))
    expect(decide('t')).toMatchObject({ intercept: { timeoutMs: ms } })
  })

  it.each([['600'], ['"10"'], ['"0s"'], ['"8d"'], ['"200h"'], ['"-5m"']])(
    'refuses the duration %s',
    timeout => {
      const text = intercept({ t: [asking({ approval_timeout: JSON.parse(timeout) })] })
      expect(problemsOf(text)).toEqual([`1: tools.t.rules[0].approval_timeout is ${timeout}`])
    },
  )

  it.each([
    [
      { ...asking(), state: { counter: 'c', window: 'day' } },
      ['1: tools.t.rules[0].state stands beside action: require_approval'],
    ],
    [
      { ...asking(), rate_limit: '5/hour' },
      ['1: tools.t.rules[0].action is "require_approval" beside rate_limit'],
    ],
    [
      { name: 'n', action: 'deny', approval_timeout: '5m' },
      ['1: tools.t.rules[0].approval_timeout stands in a rule that requires no approval'],
    ],
  ])('is refused together with what contradicts it: %j', (rule, problems) => {
    expect(problemsOf(intercept({ t: [rule] }))).toEqual(problems)
  })

  it.each([
    [{ window: '5m' }, ['1: approvals does not know "window"']],
    [{ notify: { webhook: {} } }, ['1: approvals.notify.webhook has no url']],
    [{ dedupe_window: 5 }, ['1: approvals.dedupe_window is 5']],
  ])('has no such block: %j', (approvals, problems) => {
    expect(problemsOf(intercept({}, { approvals }))).toEqual(problems)
  })
})

describe('spend', () => {
  const tools = { claim_token: { spend: { per_call: 0.5, daily: 50 } }, list_resources: { rules: [] } }
  const text = JSON.stringify({ version: '1', default: 'deny', tools })

  it('is explained', () => {
    const meanings = explainPolicy(readPolicy(text, 'p').policy)
    expect(meanings.find(({ tool }) => tool === 'claim_token')).toMatchObject({
      verdict: 'limited',
      words: 'pays at most 0.5 for a call; pays at most 50 a day',
    })
  })

  it.each([
    ['of a tool', text],
    ['of a rule', intercept({ t: [{ name: 'budget', spend: { daily: 50 } }] })],
    ['of all tools', intercept({}, { spend: { daily: 50 } })],
  ])('%s is not enforced: the engine says so, with the reason', (_, policy) => {
    expect(() => engineOf(policy)).toThrow(
      expect.objectContaining({
        code: 'cannot_enforce',
        reason: expect.stringContaining(
          'limits spending in line 1, which the built-in gateway cannot enforce',
        ),
      }),
    )
  })

  it.each([
    [{}, ['1: tools.t.spend limits nothing']],
    [{ daily: '50' }, ['1: tools.t.spend.daily is "50"']],
    [{ hourly: 1 }, expect.arrayContaining(['1: tools.t.spend does not know "hourly"'])],
  ])('is refused as %j', (spend, problems) => {
    expect(problemsOf(JSON.stringify({ version: '1', tools: { t: { spend } } }), 'p.yaml')).toEqual(problems)
  })
})
