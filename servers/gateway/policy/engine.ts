import { z } from 'zod'
import type { Clock } from '../../../shared/clock/clock.js'
import { Refusal } from '../../../shared/errors.js'
import { checked, strict } from '../../../shared/util/check.js'
import { defined } from '../../../shared/util/defined.js'
import { isObject } from '../../../shared/util/is-object.js'
import {
  argumentAt,
  type Condition,
  type Decision,
  INCALCULABLE,
  type Limit,
  type Policy,
  type PolicyCall,
  type PolicyEngine,
  type Rule,
  type Settlement,
} from './model.js'
import { testOf } from './operators.js'

const snapshotSchema = z.array(
  strict({
    counter: z.string(),
    windowStart: z.int(),
    spent: z.array(z.tuple([z.string(), z.int().min(0)])),
  }),
)

/** The key for the common count of all callers. */
const EVERYBODY = ''

type Arguments = Readonly<Record<string, unknown>>
type Denial = Extract<Decision, { outcome: 'deny' }>

/** A limit and its rule. */
interface Quota {
  readonly rule: Rule
  readonly limit: Limit
}

/** A rule that requires an approval, and a test for the calls that need it. */
interface Approving {
  readonly ask: Extract<Decision, { outcome: 'approve' }>
  applies(args: Arguments, grant: string): boolean
}

/** The compiled rules of one tool. */
interface Compiled {
  /** The checks in their order. Each check returns a denial, or undefined if the call passes the check. */
  readonly checks: readonly ((args: Arguments, grant: string) => Denial | undefined)[]
  /** The rules that require an approval. */
  readonly approvals: readonly Approving[]
  readonly quotas: readonly Quota[]
}

const NO_ARGUMENTS: Arguments = {}
const KEPT: Decision = { outcome: 'allow', settle: () => undefined }

/**
 * Creates the engine of a policy. The engine checks a call in this order and returns the first denial:
 *
 * 1. the tool is hidden
 * 2. the tool is not named, and the default is deny
 * 3. the arguments are not an object
 * 4. the rules on the arguments: first the tool's own rules, then the rules for every tool
 * 5. quota, in the same order
 * 6. approval
 *
 * Quota is reserved from all counters or from none. Two calls at the same time cannot both take the last
 * quota, because a decision is synchronous.
 *
 * @param clock the clock for the windows of limits
 * @throws Refusal `cannot_enforce` for a policy that limits spending
 */
export function createEngine(policy: Policy, clock: Clock): PolicyEngine {
  refuseSpend(policy)
  return new Engine(policy, clock)
}

/** Refuses a policy that limits spending. @throws Refusal `cannot_enforce` */
function refuseSpend({ tools, everyTool }: Policy): void {
  const rules = [...[...tools.values()].flat(), ...everyTool]
  const spend = rules.find(({ demand }) => demand.kind === 'spend')
  if (spend === undefined) return
  throw new Refusal(
    'cannot_enforce',
    `the policy limits spending in line ${spend.line}, which the reference gateway does not enforce: it pays for nothing, and so sees no price`,
    'leave spend out to have the rest enforced; understudy check explains it',
  )
}

class Engine implements PolicyEngine {
  readonly refundsToolErrors: boolean
  readonly #policy: Policy
  readonly #hidden: ReadonlySet<string>
  readonly #counters: Counters
  readonly #tools = new Map<string, Compiled>()
  readonly #unnamed: Compiled

  constructor(policy: Policy, clock: Clock) {
    this.#policy = policy
    this.refundsToolErrors = policy.refundsToolErrors
    this.#hidden = new Set(policy.hide)
    const rules = [...[...policy.tools.values()].flat(), ...policy.everyTool]
    this.#counters = new Counters(
      quotasOf(rules).map(({ limit }) => limit),
      clock,
    )
    for (const [tool, own] of policy.tools)
      this.#tools.set(tool, this.#compile([...own, ...policy.everyTool]))
    this.#unnamed = this.#compile(policy.everyTool)
  }

  hides(tool: string): boolean {
    return this.#hidden.has('*') || this.#hidden.has(tool)
  }

  decide(call: PolicyCall): Decision {
    const { tool, grant } = call
    if (this.hides(tool)) return denied('(hidden)', `Tool ${JSON.stringify(tool)} is hidden by policy`)
    const own = this.#tools.get(tool)
    if (own === undefined && this.#policy.default === 'deny') {
      return denied('(default deny)', `Tool ${JSON.stringify(tool)} is not permitted by policy`)
    }
    const args = call.args ?? NO_ARGUMENTS
    // Conditions cannot find an argument in a value that is not an object.
    if (!isObject(args))
      return denied('(arguments)', 'The arguments of a call are an object, so these are not let through')
    const { checks, approvals, quotas } = own ?? this.#unnamed
    for (const check of checks) {
      const denial = check(args, grant)
      if (denial !== undefined) return denial
    }
    const approving =
      call.approved === true ? undefined : approvals.find(({ applies }) => applies(args, grant))
    const reserved = this.#reserve(quotas, args, grant)
    if (approving === undefined || reserved.outcome !== 'allow') return reserved
    // An approval is requested only if the quota allows the call. The quota is reserved again when the
    // approved call is made.
    reserved.settle('refunded')
    return approving.ask
  }

  snapshot(): unknown {
    return this.#counters.snapshot()
  }

  restore(snapshot: unknown): void {
    this.#counters.restore(snapshot)
  }

  #compile(rules: readonly Rule[]): Compiled {
    return {
      checks: rules.flatMap(rule => this.#check(rule)),
      approvals: rules.flatMap(rule => this.#approving(rule)),
      quotas: quotasOf(rules),
    }
  }

  #check({ name, message, demand }: Rule): Compiled['checks'] {
    const denial = denied(name, message)
    if (demand.kind === 'deny') return [() => denial]
    if (demand.kind !== 'require' && demand.kind !== 'forbid') return []
    const denies = demand.kind === 'forbid'
    const holds = this.#all(demand.conditions)
    return [(args, grant) => (holds(args, grant) === denies ? denial : undefined)]
  }

  #approving({ name: rule, message, demand }: Rule): Approving[] {
    if (demand.kind !== 'approve') return []
    const { intercept } = demand
    const ask = { outcome: 'approve' as const, rule, message, ...defined({ intercept }) }
    return [{ ask, applies: this.#all(demand.conditions) }]
  }

  #all(conditions: readonly Condition[]): (args: Arguments, grant: string) => boolean {
    const tests = conditions.map(condition => this.#test(condition))
    return (args, grant) => tests.every(test => test(args, grant))
  }

  #test({ subject, op, value }: Condition): (args: Arguments, grant: string) => boolean {
    const test = testOf(op, value)
    if (subject.from === 'args') return args => test(argumentAt(args, subject.keys))
    return (_args, grant) => test(this.#counters.spent(subject.counter, grant))
  }

  #reserve(quotas: readonly Quota[], args: Arguments, grant: string): Decision {
    if (quotas.length === 0) return KEPT
    const reserved: Reservation[] = []
    for (const { rule, limit } of quotas) {
      const amount = amountOf(limit, args)
      const reservation =
        amount === undefined ? undefined : this.#counters.reserve(limit.counter, grant, amount)
      if (reservation === undefined) {
        giveBack(reserved)
        return denied(rule.name, amount === undefined ? INCALCULABLE : rule.message)
      }
      reserved.push(reservation)
    }
    let settled = false
    return {
      outcome: 'allow',
      settle(answer: Settlement) {
        if (!settled && answer === 'refunded') giveBack(reserved)
        settled = true
      },
    }
  }
}

/**
 * Returns the amount that a call takes from a counter, as a whole number. Returns undefined if the arguments
 * contain no valid amount. A negative amount is not valid, because it would give back quota that other calls
 * have used.
 */
function amountOf({ amount }: Limit, args: Arguments): number | undefined {
  if (typeof amount === 'number') return amount
  const given = argumentAt(args, amount.keys)
  if (typeof given !== 'number') return undefined
  const whole = Math.trunc(given)
  return Number.isSafeInteger(whole) && whole >= 0 ? whole : undefined
}

function giveBack(reserved: readonly Reservation[]): void {
  for (const reservation of reserved) reservation.giveBack()
}

function quotasOf(rules: readonly Rule[]): Quota[] {
  return rules.flatMap(rule => (rule.demand.kind === 'limit' ? [{ rule, limit: rule.demand.limit }] : []))
}

function denied(rule: string, message: string): Denial {
  return { outcome: 'deny', rule, message }
}

/** The amount that one call has taken from a counter. */
interface Reservation {
  giveBack(): void
}

/**
 * Counts the calls in the current window: for each grant if the limit is per grant, otherwise together.
 *
 * Windows have a fixed length and follow one another from the epoch on. When a window ends, the counter drops
 * the counts of all grants, so that it holds only the grants that have called since.
 */
class Counter {
  #windowStart = 0
  readonly #spent = new Map<string, number>()
  /** Number of times that counts were restored. An earlier reservation cannot be given back. */
  #past = 0

  constructor(readonly limit: Limit) {}

  spent(now: number, grant: string): number {
    this.#turn(now)
    return this.#spent.get(this.#key(grant)) ?? 0
  }

  reserve(now: number, grant: string, amount: number): Reservation | undefined {
    const after = this.spent(now, grant) + amount
    if (after > this.limit.max) return undefined
    const key = this.#key(grant)
    this.#spent.set(key, after)
    const [windowStart, past] = [this.#windowStart, this.#past]
    return {
      giveBack: () => {
        // After the window has ended or counts were restored, the amount is no longer counted.
        if (this.#windowStart !== windowStart || this.#past !== past) return
        this.#spent.set(key, (this.#spent.get(key) ?? 0) - amount)
      },
    }
  }

  snapshot(now: number) {
    this.#turn(now)
    return { counter: this.limit.counter, windowStart: this.#windowStart, spent: [...this.#spent] }
  }

  restore(windowStart: number, spent: readonly (readonly [string, number])[]): void {
    this.#past++
    this.#windowStart = windowStart
    this.#spent.clear()
    for (const [grant, amount] of spent) this.#spent.set(grant, amount)
  }

  #key(grant: string): string {
    return this.limit.perGrant ? grant : EVERYBODY
  }

  #turn(now: number): void {
    const start = now - (now % this.limit.windowMs)
    if (start === this.#windowStart) return
    this.#windowStart = start
    this.#spent.clear()
  }
}

/** The counters of a policy, by name. */
export class Counters {
  readonly #clock: Clock
  readonly #counters: ReadonlyMap<string, Counter>

  constructor(limits: readonly Limit[], clock: Clock) {
    this.#clock = clock
    this.#counters = new Map(limits.map(limit => [limit.counter, new Counter(limit)]))
  }

  /** Returns the count of `grant` in the current window. Returns 0 if there is no such counter. */
  spent(counter: string, grant: string): number {
    return this.#counters.get(counter)?.spent(this.#clock.now(), grant) ?? 0
  }

  /**
   * Takes `amount` if the counter stays within its limit. Otherwise returns undefined and changes nothing.
   */
  reserve(counter: string, grant: string, amount: number): Reservation | undefined {
    return this.#counters.get(counter)?.reserve(this.#clock.now(), grant, amount)
  }

  snapshot() {
    return [...this.#counters.values()].map(counter => counter.snapshot(this.#clock.now()))
  }

  /** Restores the counts from a snapshot. @throws Refusal `bad_snapshot` */
  restore(snapshot: unknown): void {
    const states = new Map(
      checked(snapshotSchema, snapshot, 'bad_snapshot', 'policy counters').map(state => [
        state.counter,
        state,
      ]),
    )
    for (const [name, counter] of this.#counters) {
      const state = states.get(name)
      counter.restore(state?.windowStart ?? 0, state?.spent ?? [])
    }
  }
}
