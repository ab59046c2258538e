import { z } from 'zod'
import type { Clock } from '../../../shared/clock/clock.js'
import { Refusal } from '../../../shared/errors.js'
import { checked, strict } from '../../../shared/util/check.js'
import { defined, isObject } from '../../../shared/util/objects.js'
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

/** The key of the count of a limit that does not count by grant. */
const ALL_GRANTS = ''

type Arguments = Readonly<Record<string, unknown>>
type Denial = Extract<Decision, { outcome: 'deny' }>

/** A rule with a limit. */
interface LimitRule {
  readonly rule: Rule
  readonly limit: Limit
}

/** A rule that requires an approval for some calls. */
interface ApprovalRule {
  /** The decision about a call that needs the approval. */
  readonly decision: Extract<Decision, { outcome: 'approve' }>
  /** Returns whether a call needs the approval. */
  applies(args: Arguments, grant: string): boolean
}

/** The compiled rules of one tool. */
interface Compiled {
  /**
   * The checks in the order of their rules. A check returns a denial, or undefined if it does not deny the
   * call.
   */
  readonly checks: readonly ((args: Arguments, grant: string) => Denial | undefined)[]
  readonly approvals: readonly ApprovalRule[]
  readonly limits: readonly LimitRule[]
}

const NO_ARGUMENTS: Arguments = {}
const ALLOWED_WITHOUT_LIMIT: Decision = { outcome: 'allow', settle: () => undefined }

/**
 * Creates the engine of a policy. The engine denies a call for the first of these reasons that applies:
 *
 * 1. The tool is hidden.
 * 2. The policy does not name the tool, and the default is deny.
 * 3. The arguments are not an object.
 * 4. A rule denies these arguments. The rules of the tool are checked first, then the rules for every tool.
 * 5. A limit is reached. Limits are checked in the same order as the other rules.
 *
 * If nothing denies the call, a rule can still require an approval. Quota is reserved in all counters of
 * the call or in none. Two calls at the same time cannot both take the last quota, because `decide` is
 * synchronous.
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
    `the policy limits spending in line ${spend.line}, which the built-in gateway cannot enforce: it pays for nothing, so it never knows a price`,
    'remove spend to enforce the rest of the policy. understudy check explains the policy',
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
      limitRulesOf(rules).map(({ limit }) => limit),
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
      return denied(
        '(arguments)',
        'The arguments of the call are not an object, so the policy cannot judge them',
      )
    const { checks, approvals, limits } = own ?? this.#unnamed
    for (const check of checks) {
      const denial = check(args, grant)
      if (denial !== undefined) return denial
    }
    const approving =
      call.approved === true ? undefined : approvals.find(({ applies }) => applies(args, grant))
    const reserved = this.#reserve(limits, args, grant)
    if (approving === undefined || reserved.outcome !== 'allow') return reserved
    // An approval is requested only if the quota allows the call. The quota is reserved again when the
    // approved call is made.
    reserved.settle('refunded')
    return approving.decision
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
      approvals: rules.flatMap(rule => this.#approvalRules(rule)),
      limits: limitRulesOf(rules),
    }
  }

  #check({ name, message, demand }: Rule): Compiled['checks'] {
    const denial = denied(name, message)
    if (demand.kind === 'deny') return [() => denial]
    if (demand.kind !== 'require' && demand.kind !== 'forbid') return []
    const denies = demand.kind === 'forbid'
    const allTrue = this.#all(demand.conditions)
    return [(args, grant) => (allTrue(args, grant) === denies ? denial : undefined)]
  }

  #approvalRules({ name: rule, message, demand }: Rule): ApprovalRule[] {
    if (demand.kind !== 'approve') return []
    const { intercept } = demand
    const decision = { outcome: 'approve' as const, rule, message, ...defined({ intercept }) }
    return [{ decision, applies: this.#all(demand.conditions) }]
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

  #reserve(limits: readonly LimitRule[], args: Arguments, grant: string): Decision {
    if (limits.length === 0) return ALLOWED_WITHOUT_LIMIT
    const reserved: Reservation[] = []
    for (const { rule, limit } of limits) {
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
 * Returns the amount that a call adds to a counter, as a whole number. Returns undefined if the arguments
 * contain no valid amount. A negative amount is not valid, because it would give back the quota of other
 * calls.
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

function limitRulesOf(rules: readonly Rule[]): LimitRule[] {
  return rules.flatMap(rule => (rule.demand.kind === 'limit' ? [{ rule, limit: rule.demand.limit }] : []))
}

function denied(rule: string, message: string): Denial {
  return { outcome: 'deny', rule, message }
}

/** The amount that one call has added to a counter. */
interface Reservation {
  giveBack(): void
}

/**
 * Counts the calls in the current window. There is one count for each grant, or one count for all grants.
 *
 * Windows have a fixed length, and the first window begins at the epoch. When a window ends, all counts are
 * removed. The counter therefore stores only grants that have called in the current window.
 */
class Counter {
  #windowStart = 0
  readonly #spent = new Map<string, number>()
  /** Number of times that `restore` was called. A reservation from before a restore cannot be given back. */
  #restores = 0

  constructor(readonly limit: Limit) {}

  spent(now: number, grant: string): number {
    this.#startWindow(now)
    return this.#spent.get(this.#key(grant)) ?? 0
  }

  reserve(now: number, grant: string, amount: number): Reservation | undefined {
    const after = this.spent(now, grant) + amount
    if (after > this.limit.max) return undefined
    const key = this.#key(grant)
    this.#spent.set(key, after)
    const [windowStart, restores] = [this.#windowStart, this.#restores]
    return {
      giveBack: () => {
        // The current counts do not contain the amount if the window has ended or the counts were restored.
        if (this.#windowStart !== windowStart || this.#restores !== restores) return
        this.#spent.set(key, (this.#spent.get(key) ?? 0) - amount)
      },
    }
  }

  snapshot(now: number) {
    this.#startWindow(now)
    return { counter: this.limit.counter, windowStart: this.#windowStart, spent: [...this.#spent] }
  }

  restore(windowStart: number, spent: readonly (readonly [string, number])[]): void {
    this.#restores++
    this.#windowStart = windowStart
    this.#spent.clear()
    for (const [grant, amount] of spent) this.#spent.set(grant, amount)
  }

  #key(grant: string): string {
    return this.limit.perGrant ? grant : ALL_GRANTS
  }

  #startWindow(now: number): void {
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

  /** Returns the count of `grant` in the current window. Returns 0 for an unknown counter. */
  spent(counter: string, grant: string): number {
    return this.#counters.get(counter)?.spent(this.#clock.now(), grant) ?? 0
  }

  /**
   * Adds `amount` to a counter if its count then stays within the limit. Otherwise returns undefined and
   * changes nothing.
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
