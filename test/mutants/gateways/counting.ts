import {
  createEngine,
  type Decision,
  type Policy,
  type PolicyCall,
} from '#built/servers/gateway/policy/index.js'
import type { Limit, Rule } from '#built/servers/gateway/policy/model.js'
import type { Clock } from '#built/shared/clock/clock.js'
import type { Hooks } from '../proxy/hooks.js'
import type { GatewayMutant } from './mutant.js'

/** Limits that all callers share. */
const SHARED = 'intercept/safebot.yaml'

/** A limit of each kind on one tool, and a condition. */
const LIMITS = 'limits.json'

/** Counts limits in another way than in fixed windows. */
interface Meter {
  /** Counts one call. @returns how to take it back; undefined if the limit is reached */
  spend(key: string, limit: Limit, now: number): (() => void) | undefined
  /** Whether calls that another limit denies stay counted. */
  readonly keepsDenied?: boolean
}

/** Hooks that count limits by a meter. All other rules are the policy's. */
function metered({ policy, clock }: { policy: Policy; clock: Clock }, meter: Meter): Partial<Hooks> {
  const rest = createEngine(
    mapRules(policy, ({ demand }) => demand.kind !== 'limit'),
    clock,
  )
  return {
    engine: () => ({
      hides: tool => rest.hides(tool),
      snapshot: () => rest.snapshot(),
      restore: snapshot => rest.restore(snapshot),
      decide(call) {
        const decision = rest.decide(call)
        return decision.outcome === 'allow' ? counted(call) : decision
      },
    }),
  }
  function counted({ tool, grant }: PolicyCall): Decision {
    const spent: (() => void)[] = []
    const giveBack = () => {
      for (const undo of spent) undo()
    }
    for (const { name, message, demand } of [...(policy.tools.get(tool) ?? []), ...policy.everyTool]) {
      if (demand.kind !== 'limit') continue
      const { limit } = demand
      const undo = meter.spend(`${limit.counter} ${limit.perGrant ? grant : ''}`, limit, clock.now())
      if (undo === undefined) {
        if (meter.keepsDenied !== true) giveBack()
        return { outcome: 'deny', rule: name, message }
      }
      spent.push(undo)
    }
    return { outcome: 'allow', settle: answer => answer === 'refunded' && giveBack() }
  }
}

/** Counts of calls by key. */
class Counts {
  readonly #counts = new Map<string, number>()

  spend(key: string, max: number): (() => void) | undefined {
    const count = this.#counts.get(key) ?? 0
    if (count >= max) return undefined
    this.#counts.set(key, count + 1)
    return () => this.take(key, 1)
  }

  /** Takes calls from a count, down to none. */
  take(key: string, calls: number): void {
    this.#counts.set(key, Math.max(0, (this.#counts.get(key) ?? 0) - calls))
  }
}

/** The key of a count in the window that is now. */
function windowKey(key: string, windowMs: number, now: number): string {
  return `${key} ${windowMs} ${Math.floor(now / windowMs)}`
}

function mapRules(policy: Policy, keep: (rule: Rule) => boolean): Policy {
  return {
    ...policy,
    tools: new Map([...policy.tools].map(([tool, rules]) => [tool, rules.filter(keep)])),
    everyTool: policy.everyTool.filter(keep),
  }
}

/** Hooks that enforce the policy with other limits. */
const withLimits =
  (change: (limit: Limit) => Limit): GatewayMutant['hooks'] =>
  ({ policy, clock }) => {
    const changed = (rule: Rule): Rule =>
      rule.demand.kind === 'limit'
        ? { ...rule, demand: { kind: 'limit', limit: change(rule.demand.limit) } }
        : rule
    const tools = new Map([...policy.tools].map(([tool, rules]) => [tool, rules.map(changed)]))
    const other = { ...policy, tools, everyTool: policy.everyTool.map(changed) }
    return { engine: () => createEngine(other, clock) }
  }

/** Limits are counted in another way. */
export const COUNTING: readonly GatewayMutant[] = [
  {
    name: 'keeps-quota-of-errors',
    does: 'gives no quota back when the upstream answers with a JSON-RPC error',
    hooks: () => ({ settlement: () => 'kept' }),
  },
  {
    name: 'refunds-tool-errors',
    does: 'gives quota back for a result with isError',
    hooks: () => ({
      settlement: answer =>
        answer?.error !== undefined || JSON.stringify(answer).includes('"isError":true')
          ? 'refunded'
          : 'kept',
    }),
  },
  {
    name: 'refunds-lost-calls',
    does: 'gives quota back when no answer of the upstream can be read',
    hooks: () => ({
      settlement: answer => (answer === undefined || answer.error !== undefined ? 'refunded' : 'kept'),
    }),
  },
  {
    name: 'refunds-everything',
    does: 'gives quota back for every answer',
    hooks: () => ({ settlement: () => 'refunded' }),
  },
  {
    name: 'refunds-twice',
    does: 'takes two calls from the count for a JSON-RPC error',
    hooks: surroundings => {
      const counts = new Counts()
      return metered(surroundings, {
        spend(key, { max, windowMs }, now) {
          const counted = windowKey(key, windowMs, now)
          return counts.spend(counted, max) && (() => counts.take(counted, 2))
        },
      })
    },
  },
  {
    name: 'counts-arguments-apart',
    does: 'counts calls with other arguments by themselves',
    hooks: () => ({
      decide: (call, next) => next({ ...call, grant: `${call.grant} ${JSON.stringify(call.args)}` }),
    }),
  },
  {
    name: 'counts-tools-together',
    does: 'has one count for all tools, and compares it with the limit of each',
    hooks: surroundings => {
      const counts = new Counts()
      return metered(surroundings, {
        spend(key, { max, windowMs, counter }, now) {
          const together = key.replace(counter, 'calls')
          return counts.spend(windowKey(together, windowMs, now), max)
        },
      })
    },
  },
  {
    name: 'counts-sessions',
    does: 'starts a fresh quota for each session of a grant',
    hooks: () => ({
      decide: (call, next, { session }) => next({ ...call, grant: `${call.grant} ${session}` }),
    }),
  },
  {
    name: 'counts-grants-together',
    does: 'counts all grants together where each has its own quota',
    hooks: () => ({ decide: (call, next) => next({ ...call, grant: 'everybody' }) }),
  },
  {
    name: 'counts-grants-apart',
    does: 'counts each grant apart where all share one quota',
    policy: SHARED,
    hooks: withLimits(limit => ({ ...limit, perGrant: true })),
  },
  {
    name: 'counts-when-answered',
    does: 'counts a call when its answer has come, so that calls at once pass the last slot',
    hooks: () => ({
      decide(call, next) {
        const decision = next(call)
        if (decision.outcome !== 'allow') return decision
        decision.settle('refunded')
        return {
          outcome: 'allow',
          settle(answer) {
            const counted = next(call)
            if (counted.outcome === 'allow') counted.settle(answer)
          },
        }
      },
    }),
  },
  {
    name: 'counts-denied-calls',
    does: 'counts calls that a condition denies',
    policy: LIMITS,
    hooks: ({ policy, clock }) => {
      const limits = createEngine(
        mapRules(policy, ({ demand }) => demand.kind === 'limit'),
        clock,
      )
      const rest = createEngine(
        mapRules(policy, ({ demand }) => demand.kind !== 'limit'),
        clock,
      )
      return {
        decide(call) {
          const counted = limits.decide(call)
          if (counted.outcome !== 'allow') return counted
          const decision = rest.decide(call)
          return decision.outcome === 'allow' ? counted : decision
        },
      }
    },
  },
  {
    name: 'counts-calls-over-the-limit',
    does: 'counts a call that one limit denies for the limits before it',
    policy: LIMITS,
    hooks: surroundings => {
      const counts = new Counts()
      return metered(surroundings, {
        keepsDenied: true,
        spend: (key, { max, windowMs }, now) => counts.spend(windowKey(key, windowMs, now), max),
      })
    },
  },
  {
    name: 'never-turns-windows',
    does: 'counts for ever in the first window',
    hooks: surroundings => {
      const counts = new Counts()
      return metered(surroundings, { spend: (key, { max }) => counts.spend(key, max) })
    },
  },
  {
    name: 'slides-windows',
    does: 'counts in a window that slides, and not in one that turns for all at once',
    hooks: surroundings => {
      const calls = new Map<string, number[]>()
      return metered(surroundings, {
        spend(key, { max, windowMs }, now) {
          const within = (calls.get(key) ?? []).filter(at => at > now - windowMs)
          if (within.length >= max) return undefined
          calls.set(key, [...within, now])
          return () => void calls.get(key)?.pop()
        },
      })
    },
  },
  {
    name: 'fills-a-bucket',
    does: 'gives back one call after each part of the window, as a token bucket does',
    hooks: surroundings => {
      const buckets = new Map<string, { tokens: number; at: number }>()
      return metered(surroundings, {
        spend(key, { max, windowMs }, now) {
          const { tokens, at } = buckets.get(key) ?? { tokens: max, at: now }
          const left = Math.min(max, tokens + ((now - at) * max) / windowMs)
          if (left < 1) return undefined
          const bucket = { tokens: left - 1, at: now }
          buckets.set(key, bucket)
          return () => void bucket.tokens++
        },
      })
    },
  },
  {
    name: 'starts-windows-at-the-first-call',
    does: 'begins a window with the first call in it',
    hooks: surroundings => {
      const windows = new Map<string, { count: number; start: number }>()
      return metered(surroundings, {
        spend(key, { max, windowMs }, now) {
          const known = windows.get(key)
          const window =
            known === undefined || now - known.start >= windowMs ? { count: 0, start: now } : known
          windows.set(key, window)
          if (window.count >= max) return undefined
          window.count++
          return () => void window.count--
        },
      })
    },
  },
  {
    name: 'lets-one-more-pass',
    does: 'denies one call too late',
    hooks: withLimits(limit => ({ ...limit, max: limit.max + 1 })),
  },
  {
    name: 'lets-one-less-pass',
    does: 'denies one call too early',
    policy: LIMITS,
    hooks: withLimits(limit => ({ ...limit, max: limit.max - 1 })),
  },
  {
    name: 'ignores-limits-over-all-tools',
    does: 'does not count limits over all tools',
    hooks: ({ policy, clock }) => ({ engine: () => createEngine({ ...policy, everyTool: [] }, clock) }),
  },
  {
    name: 'counts-one-limit',
    does: 'counts the first limit of each tool and skips the others',
    policy: LIMITS,
    hooks: ({ policy, clock }) => {
      const tools = new Map(
        [...policy.tools].map(([tool, rules]) => {
          const first = rules.find(({ demand }) => demand.kind === 'limit')
          return [tool, rules.filter(rule => rule.demand.kind !== 'limit' || rule === first)]
        }),
      )
      return { engine: () => createEngine({ ...policy, tools }, clock) }
    },
  },
]
