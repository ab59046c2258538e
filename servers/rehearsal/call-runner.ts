import { Refusal } from '../../shared/errors.js'
import { argsHash } from '../../shared/journal/entry.js'
import { defined } from '../../shared/util/defined.js'
import { isObject } from '../../shared/util/is-object.js'
import type { PolicyEngine } from '../gateway/policy/index.js'
import type { Policy } from '../gateway/policy/model.js'
import { judge, refunds, type SecretsSeen, sawOf, succeeded } from './judge.js'
import { limitsOf } from './plan/exhaust-limit.js'
import type { JudgedCall } from './report.js'
import type { CallStep, Step } from './scenario.js'
import type { Stage } from './stage/stage.js'
import type { Answer } from './via/caller.js'
import type { Way } from './via/gateway.js'

export interface PerformerOptions {
  stage: Stage
  way: Way
  policy: Policy
  /** The decision engine that is asked apart from the gateway. */
  engine: PolicyEngine
  /** What the engine's windows go by. */
  now(): number
  secrets: SecretsSeen
}

/** A call as it was last made. */
interface Made {
  tool: string
  args: unknown
  as: string
}

/** Makes the calls of a scenario, one after another, and judges each. */
export class Performer {
  readonly #options: PerformerOptions
  readonly #windows: readonly number[]
  #last: Made | undefined
  /** A window has turned under a call: what the gateway counts from then on is not known. */
  #turned = false
  /** Answers in a row that did not come. */
  #silent = 0

  constructor(options: PerformerOptions) {
    this.#options = options
    this.#windows = limitsOf(options.policy).map(({ windowMs }) => windowMs)
  }

  async call(step: CallStep): Promise<JudgedCall> {
    const { stage } = this.#options
    const { call: tool, as = 'agent' } = step
    const args = await stage.resolve(tool, step.args ?? {}, as)
    this.#last = { tool, args, as }
    return this.#make(this.#last, step, false)
  }

  /** Approves the last call, and makes it again; undefined where nobody can approve. */
  async approve(): Promise<JudgedCall | undefined> {
    const { way } = this.#options
    if (way.approve === undefined || this.#last === undefined) return undefined
    way.approve()
    return this.#make(this.#last, {}, true)
  }

  /** Sends calls as one batch, and judges each; one that is refused as a whole has let nothing through. */
  async batch({ batch, as = 'agent' }: Extract<Step, { batch: unknown }>): Promise<JudgedCall[]> {
    const { stage, way, engine } = this.#options
    const calls = await Promise.all(
      batch.map(async ({ call: tool, args = {} }) => ({ tool, args: await stage.resolve(tool, args, as) })),
    )
    const server = stage.serverOf(batch[0]?.call ?? '')
    const decided = calls.map(call => ({ call, decision: engine.decide({ ...call, grant: as }) }))
    const mark = stage.mark()
    const caller = await way.caller(server, as)
    const answers = await caller.askAll(
      calls.map(({ tool, args }) => ({ method: 'tools/call', params: { name: tool, arguments: args } })),
    )
    const entries = stage.reached(mark)
    const refused = entries.length === 0 && !answers.some(succeeded)
    const whole = refused && answers.every(({ kind }) => kind !== 'nothing')
    const left = [...entries]
    return decided.map(({ call, decision }, at) => {
      const answer: Answer = answers[at] ?? { kind: 'nothing', why: 'no answer' }
      // One each: what is left over is told as a call that nobody made.
      const found = left.findIndex(({ tool }) => tool === call.tool)
      const reached = found < 0 ? [] : left.splice(found, 1)
      if (decision.outcome === 'allow') decision.settle(whole || refunds(answer) ? 'refunded' : 'kept')
      const judged = judge({
        decision,
        answer,
        reached,
        namesRules: way.namesRules,
        sent: { tool: call.tool, argsHash: argsHash(call.args) },
      })
      if (!whole || decision.outcome !== 'allow') return judged
      return { ...judged, saw: `${sawOf(answer)}, with the whole batch`, mark: 'ok', why: null }
    })
  }

  async #make({ tool, args, as }: Made, step: Partial<CallStep>, approved: boolean): Promise<JudgedCall> {
    const { stage, way, engine, policy, secrets } = this.#options
    const uncountable = this.#unchecked(tool, as)
    if (uncountable !== undefined) return uncountable
    const caller = await way.caller(stage.serverOf(tool), as)
    const mark = stage.mark()
    const begun = this.#window()
    const decision = engine.decide({ tool, args, grant: as, approved })
    const answer = await caller.ask('tools/call', { name: tool, arguments: args })
    this.#silent = answer.kind === 'nothing' ? this.#silent + 1 : 0
    const reached = stage.reached(mark)
    if (decision.outcome === 'allow') decision.settle(refunds(answer) ? 'refunded' : 'kept')
    if (!way.advances && begun !== this.#window() && limits(policy, tool)) this.#turned = true
    if (reached.length > 0) {
      secrets.note(tool, 'arguments', args)
      if (answer.kind === 'response') secrets.note(tool, 'results', answer.message.result)
      if (tool === 'create_postgres' && succeeded(answer)) stage.databaseMade()
    }
    if (step.keep !== undefined) stage.keep(step.keep, structured(answer, tool, step.keep))
    if (this.#turned) {
      return { ...unchecked(decision.outcome, TURNED), reached: reached.map(({ seq }) => seq) }
    }
    return judge({
      decision,
      answer,
      reached,
      namesRules: way.namesRules,
      sent: { tool, argsHash: argsHash(args) },
      ...defined({ meant: step.expect }),
    })
  }

  #unchecked(tool: string, as: string): JudgedCall | undefined {
    const { way, policy } = this.#options
    if (this.#silent >= MOST_SILENCE) return unchecked('allow', SILENT)
    if (this.#turned && limits(policy, tool)) return unchecked('allow', TURNED)
    if (as === 'agent' || way.grants > 1 || !countsGrants(policy, tool)) return undefined
    return unchecked('allow', 'this gateway was given one caller only; --bearer TOKEN names each')
  }

  /** Which windows these are, by the clock that the gateway's go by. */
  #window(): string {
    const now = this.#options.now()
    return this.#windows.map(windowMs => Math.floor(now / windowMs)).join(' ')
  }
}

/** Each is waited for: a gateway that hangs must not hang whoever rehearses it. */
const MOST_SILENCE = 3
const SILENT = `the gateway gave no answer ${MOST_SILENCE} times in a row`

const TURNED =
  'a window turned in the middle of a call, so that nobody can tell which one it counts in: run it again'

function unchecked(expected: JudgedCall['expected'], why: string): JudgedCall {
  return { expected, rule: null, saw: '', reached: [], mark: 'unchecked', why }
}

function limits(policy: Policy, tool: string): boolean {
  return limitsOn(policy, tool).length > 0
}

function countsGrants(policy: Policy, tool: string): boolean {
  return limitsOn(policy, tool).some(({ perGrant }) => perGrant)
}

function limitsOn({ tools, everyTool }: Policy, tool: string) {
  return [...(tools.get(tool) ?? []), ...everyTool].flatMap(({ demand }) =>
    demand.kind === 'limit' ? [demand.limit] : [],
  )
}

function structured(answer: Answer, tool: string, name: string): unknown {
  const result = answer.kind === 'response' ? answer.message.result : undefined
  if (isObject(result) && isObject(result.structuredContent)) return result.structuredContent
  const hint = 'keep what a step brings that is allowed and goes well'
  throw new Refusal('nothing_to_keep', `${tool} brought nothing to keep as ${name}: ${sawOf(answer)}`, hint)
}
