import { describe, expect, it } from 'vitest'
import { createEngine } from '../../../../servers/gateway/policy/engine.js'
import { readPolicy } from '../../../../servers/gateway/policy/read-policy.js'
import { Clock } from '../../../../shared/clock/clock.js'
import { engineOf, intercept, policyLayer } from '../../../support/gateway/policy.js'

const counted = (more: object = {}, op = 'lte', value = 3) => ({
  name: 'cap',
  conditions: [{ path: 'state.t.c', op, value }],
  state: { counter: 'c', window: 'hour', ...more },
})

/** How many of so many calls are let through. */
function passing(outcome: () => string, calls: number): number {
  return Array.from({ length: calls }, outcome).filter(each => each === 'allow').length
}

describe('a limit', () => {
  // fidelity gateway/intercept, same: `rate_limit: N/window` and `lte N` let N calls pass. `lt N` lets N − 1
  // calls pass.
  it.each([
    ['30/minute', { name: 'n', rate_limit: '30/minute' }, 30],
    ['lte 3', counted(), 3],
    ['lt 3', counted({}, 'lt'), 2],
    ['lte 0', counted({}, 'lte', 0), 0],
    // fidelity gateway/intercept, same: `increment` is the amount that each call counts.
    ['lte 7, each call counting 2', counted({ increment: 2 }, 'lte', 7), 3],
  ])('%s', (_, rule, expected) => {
    const { outcome } = engineOf(intercept({ t: [rule] }))
    expect(passing(() => outcome('t'), 40)).toBe(expected)
  })

  // fidelity gateway/intercept, same: A reached limit has the text of Intercept.
  it('denies with the text of the rule', () => {
    const { decide } = engineOf(
      intercept({ t: [counted({}, 'lte', 0)], u: [{ name: 'n', rate_limit: '1/day' }] }),
    )
    decide('u')
    expect([decide('t'), decide('u')]).toEqual([
      { outcome: 'deny', rule: 'cap', message: 'Rate limit exceeded for cap' },
      { outcome: 'deny', rule: 'n', message: 'Rate limit of 1 per day reached. Try again later.' },
    ])
  })

  // fidelity gateway/intercept, same: All callers count together.
  // fidelity gateway/policylayer, same: Each grant counts by itself.
  it('counts every caller of Intercept together, and each grant of PolicyLayer by itself', () => {
    const limit = { counter: 'c', window: 'minute', max: 2, scope: 'grant' }
    for (const [text, file, expected] of [
      [intercept({ t: [{ name: 'n', rate_limit: '2/minute' }] }), 'p.yaml', [2, 0]],
      [policyLayer({ t: { limits: [limit] } }), 'p.json', [2, 2]],
    ] as const) {
      const { outcome } = engineOf(text, file)
      expect(['a', 'b'].map(grant => passing(() => outcome('t', {}, { grant }), 5))).toEqual(expected)
    }
  })

  // fidelity gateway/policylayer, same: `all_tools.limits` counts each call, also of tools without an entry.
  it('for all tools counts every call, also of tools without an entry', () => {
    const limit = { counter: 'calls', window: 'minute', max: 3, scope: 'grant' }
    const { outcome } = engineOf(
      policyLayer({ t: {} }, { default: 'allow', all_tools: { limits: [limit] } }),
      'p.json',
    )
    expect(['t', 'u', 'v', 't'].map(tool => outcome(tool))).toEqual([
      'allow',
      'allow',
      'allow',
      '/all_tools/limits/calls',
    ])
    const everyTool = engineOf(
      intercept({ t: [], u: [], '*': [{ name: 'all', rate_limit: '2/minute' }] }),
    ).outcome
    expect(['t', 'u', 't'].map(tool => everyTool(tool))).toEqual(['allow', 'allow', 'all'])
  })

  it('is separate for each tool, even if names of tools and counters run together', () => {
    const limit = (counter: string) => ({ limits: [{ counter, window: 'minute', max: 1, scope: 'grant' }] })
    const { outcome } = engineOf(policyLayer({ a: limit('b.c'), 'a.b': limit('c') }), 'p.json')
    expect(['a', 'a.b'].map(tool => outcome(tool))).toEqual(['allow', 'allow'])
  })

  // fidelity gateway/intercept, same: Counters are reserved in order. A refusal returns the quota of earlier
  // counters.
  // fidelity gateway/intercept, same: One tool may have limits over different windows.
  it('that denies a call gives back the quota of earlier limits', () => {
    const rules = [
      { name: 'minute', rate_limit: '3/minute' },
      { name: 'hour', rate_limit: '2/hour' },
    ]
    const { outcome, engine } = engineOf(intercept({ t: rules }))
    expect(['', '', '', ''].map(() => outcome('t'))).toEqual(['allow', 'allow', 'hour', 'hour'])
    expect(engine.snapshot()).toMatchObject([{ spent: [['', 2]] }, { spent: [['', 2]] }])
  })

  // fidelity gateway/intercept, same: Other rules and tools may read a counter.
  it('can be read by the conditions of other rules and tools', () => {
    const text = intercept({
      t: [counted({}, 'lte', 9)],
      u: [{ name: 'only after t', conditions: [{ path: 'state.t.c', op: 'gte', value: 1 }] }],
    })
    const { outcome } = engineOf(text)
    expect([outcome('u'), outcome('t'), outcome('u')]).toEqual(['only after t', 'allow', 'allow'])
  })
})

describe('a window', () => {
  // fidelity gateway/intercept, same: Minutes, hours and days are fixed windows of the UTC calendar.
  it.each([
    ['minute', 60_000],
    ['hour', 3_600_000],
    ['day', 86_400_000],
  ])('of a %s begins with the UTC calendar', async (window, ms) => {
    const clock = new Clock({ mode: 'manual', start: Date.parse('2026-03-01T23:59:59.999Z') })
    const engine = createEngine(
      readPolicy(intercept({ t: [{ name: 'n', rate_limit: `1/${window}` }] }), 'p').policy,
      clock,
    )
    const call = () => engine.decide({ tool: 't', args: {}, grant: 'a' }).outcome
    expect([call(), call()]).toEqual(['allow', 'deny'])
    await clock.advance(1)
    expect([call(), call()]).toEqual(['allow', 'deny'])
    await clock.advance(ms - 1)
    expect(call()).toBe('deny')
    await clock.advance(1)
    expect(call()).toBe('allow')
  })
})

describe('quota', () => {
  const once = () => engineOf(intercept({ t: [{ name: 'n', rate_limit: '1/minute' }] }))
  const allowed = ({ decide }: ReturnType<typeof once>) => {
    const decision = decide('t')
    if (decision.outcome !== 'allow') throw new Error('was denied')
    return decision
  }

  it('is given back once for an answer that requires it', () => {
    const world = once()
    const first = allowed(world)
    first.settle('refunded')
    first.settle('refunded')
    const second = allowed(world)
    first.settle('refunded')
    expect(world.outcome('t')).toBe('n')
    second.settle('kept')
    second.settle('refunded')
    expect(world.outcome('t')).toBe('n')
  })

  // fidelity gateway/intercept, differs: Quota that returns late is taken from the present window. Here: The
  // present window stays as it is, because the quota was not taken from it.
  it('is not given back to another window', async () => {
    const world = once()
    const first = allowed(world)
    await world.clock.advance(60_000)
    allowed(world)
    first.settle('refunded')
    expect(world.outcome('t')).toBe('n')
  })

  it('is restored by a snapshot, and earlier reservations are not given back again', () => {
    const world = once()
    const empty = world.engine.snapshot()
    const first = allowed(world)
    const spent = world.engine.snapshot()
    world.engine.restore(empty)
    allowed(world)
    first.settle('refunded')
    expect(world.outcome('t')).toBe('n')
    world.engine.restore(empty)
    expect(world.outcome('t')).toBe('allow')
    world.engine.restore(JSON.parse(JSON.stringify(spent)))
    expect(world.outcome('t')).toBe('n')
  })

  it.each([
    [undefined],
    [{}],
    [[{ counter: 'x' }]],
    [[{ counter: 'x', windowStart: 0, spent: [['a', -1]] }]],
  ])('is not restored from %j', snapshot => {
    expect(() => once().engine.restore(snapshot)).toThrow(expect.objectContaining({ code: 'bad_snapshot' }))
  })
})

describe('an amount from the arguments', () => {
  const spending = () => engineOf(intercept({ t: [counted({ increment_from: 'args.n' }, 'lte', 10)] }))

  it.each<[unknown[], string[]]>([
    [
      [4, 6, 1],
      ['allow', 'allow', 'cap'],
    ],
    [
      [11, 10],
      ['cap', 'allow'],
    ],
    [
      // fidelity gateway/intercept, same: `increment_from` cuts an amount to a whole number.
      [9.9, 1.9, 1],
      ['allow', 'allow', 'cap'],
    ],
    [
      // fidelity gateway/intercept, differs: A negative `increment_from` gives quota back. Here: The call is
      // denied, because a caller would give itself quota.
      [2, -50, 40],
      ['allow', 'cap', 'cap'],
    ],
    // fidelity gateway/intercept, same: An amount that is a text denies the call.
    [['5'], ['cap']],
    [[undefined], ['cap']],
    [
      [1e300, Number.MAX_SAFE_INTEGER],
      ['cap', 'cap'],
    ],
  ])('%j: %j', (amounts, outcomes) => {
    const { outcome } = spending()
    expect(amounts.map(n => outcome('t', n === undefined ? {} : { n }))).toEqual(outcomes)
  })

  // fidelity gateway/intercept, same: A missing amount denies the call with `Internal policy error`.
  it('that is missing denies with the text of Intercept', () => {
    expect(spending().decide('t', {})).toEqual({
      outcome: 'deny',
      rule: 'cap',
      message: 'Internal policy error',
    })
  })
})
