import fc from 'fast-check'
import { afterEach, expect, it, vi } from 'vitest'
import { Counters, createEngine } from '../../../../../servers/gateway/policy/engine.js'
import type { Decision, PolicyEngine } from '../../../../../servers/gateway/policy/model.js'
import { readPolicy } from '../../../../../servers/gateway/policy/read-policy.js'
import { Clock } from '../../../../../shared/clock/clock.js'
import { policyLayer } from '../../../../support/gateway/policy.js'
import { type ModelLimit, QuotaModel } from './quota-model.js'

interface World {
  engine: PolicyEngine
  clock: Clock
  settles: Extract<Decision, { outcome: 'allow' }>['settle'][]
}

type Command = fc.AsyncCommand<QuotaModel, World, true>

function command(name: string, run: (model: QuotaModel, world: World) => Promise<void> | void): Command {
  return { check: async () => true, run: async (model, world) => run(model, world), toString: () => name }
}

const call = (tool: string, grant: string) =>
  command(`${grant} calls ${tool}`, (model, { engine, settles }) => {
    const decision = engine.decide({ tool, grant, args: {} })
    const denied = model.decide(tool, grant)
    expect(decision.outcome === 'deny' ? decision.rule.split('/').at(-1) : undefined).toBe(denied)
    if (decision.outcome === 'allow') settles.push(decision.settle)
  })

const answer = (pick: number, settlement: 'kept' | 'refunded') =>
  command(`${settlement} ${pick}`, (model, { settles }) => {
    const nth = pick % Math.max(1, settles.length)
    const counted = model.calls[nth]
    if (counted === undefined) return
    settles[nth]?.(settlement)
    // Only the first answer counts.
    counted.answer ??= settlement
  })

const advance = (ms: number) =>
  command(`${ms} ms pass`, async (model, { clock }) => {
    await clock.advance(ms)
    model.now += ms
  })

const tool = fc.constantFrom('a', 'b')
const grant = fc.constantFrom('x', 'y')
const run = fc.commands<QuotaModel, World, true>(
  [
    fc.tuple(tool, grant).map(([name, who]) => call(name, who)),
    fc.tuple(tool, grant).map(([name, who]) => call(name, who)),
    fc.tuple(tool, grant).map(([name, who]) => call(name, who)),
    fc.tuple(fc.nat(20), fc.constantFrom('kept', 'refunded')).map(([pick, how]) => answer(pick, how)),
    fc.constantFrom(1, 20_000, 59_999, 60_000, 3_600_000, 86_400_000).map(advance),
  ],
  { maxCommands: 60, size: 'max' },
)

/** At most one limit for each window of a tool. */
const limitsOf = (name: string) =>
  fc
    .subarray(['minute', 'hour', 'day'] as const)
    .chain(windows =>
      fc.tuple(
        ...windows.map(window =>
          fc
            .integer({ min: 1, max: 4 })
            .map(max => ({ tool: name, counter: `${name}-${window}`, window, max })),
        ),
      ),
    )

const limits = fc.tuple(limitsOf('a'), limitsOf('b'), limitsOf('*')).map(all => all.flat())

function policyOf(all: readonly ModelLimit[]): string {
  const of = (name: string) =>
    all
      .filter(limit => limit.tool === name)
      .map(({ counter, window, max }) => ({ counter, window, max, scope: 'grant' }))
  return policyLayer({ a: { limits: of('a') }, b: { limits: of('b') } }, { all_tools: { limits: of('*') } })
}

const quotaHolds = fc.asyncProperty(limits, run, async (all, commands) => {
  const clock = new Clock({ mode: 'manual' })
  const engine = createEngine(readPolicy(policyOf(all), 'policy.json').policy, clock)
  await fc.asyncModelRun(
    () => ({ model: new QuotaModel(all, clock.now()), real: { engine, clock, settles: [] } }),
    commands,
  )
})

/** A fixed seed: a property that has to fail must do so every time. */
const WILL_FAIL = { seed: 1, numRuns: 1000, endOnFailure: true }

afterEach(() => vi.restoreAllMocks())

it('each limit allows the calls that earlier ones leave, for any calls, answers and windows', async () => {
  await fc.assert(quotaHolds, { numRuns: 500 })
})

it('the property fails if quota is not given back', async () => {
  const reserve = Counters.prototype.reserve
  vi.spyOn(Counters.prototype, 'reserve').mockImplementation(function (this: Counters, ...args) {
    return reserve.apply(this, args) && { giveBack: () => undefined }
  })
  expect((await fc.check(quotaHolds, WILL_FAIL)).failed).toBe(true)
})

it('the property fails if quota is given back to a later window', async () => {
  const reserve = Counters.prototype.reserve
  vi.spyOn(Counters.prototype, 'reserve').mockImplementation(function (this: Counters, counter, who, amount) {
    const reserved = reserve.call(this, counter, who, amount)
    const giveBack = () => {
      const less = (spent: [string, number][]) =>
        spent.map(([key, count]) => [key, key === who ? Math.max(0, count - amount) : count])
      this.restore(
        this.snapshot().map(state =>
          state.counter === counter ? { ...state, spent: less(state.spent) } : state,
        ),
      )
    }
    return reserved && { giveBack }
  })
  expect((await fc.check(quotaHolds, WILL_FAIL)).failed).toBe(true)
})
