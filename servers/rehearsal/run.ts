import { Refusal } from '../../shared/errors.js'
import { argsHash } from '../../shared/journal/entry.js'
import { defined } from '../../shared/util/defined.js'
import { isObject } from '../../shared/util/is-object.js'
import type { PolicyEngine } from '../gateway/policy/index.js'
import type { Policy } from '../gateway/policy/model.js'
import { judge, refunds, type SecretsSeen, sawOf, succeeded } from './judge.js'
import { limitsOf } from './plan/exhaust-limit.js'
import type { Planned } from './plan/limit-steps.js'
import { freshStart } from './plan/plan.js'
import type { JudgedCall, Mark, Row } from './report.js'
import type { CallStep, Group, Step } from './scenario.js'
import type { Stage } from './stage/stage.js'
import type { Answer } from './via/caller.js'
import type { Way } from './via/gateway.js'

/** Each is waited for: a gateway that hangs must not hang whoever rehearses it. */
const MOST_SILENCE = 3

const SILENT = `the gateway gave no answer ${MOST_SILENCE} times in a row`

const TURNED =
  'a window turned in the middle of a call, so that nobody can tell which one it counts in: run it again'

export interface RunOptions {
  stage: Stage
  way: Way
  policy: Policy
  engine: PolicyEngine
  now(): number
  secrets: SecretsSeen
}

const MACHINE_TIME = "behind time that would have to pass, and this gateway goes by the machine's"

/** Carries out what was planned; a row for each step that is no mere passing of time. */
export async function run(planned: readonly Planned[], options: RunOptions): Promise<Row[]> {
  const { stage, way, policy } = options
  const performer = new Performer(options)
  const rows: Row[] = []
  for (const group of planned) {
    if ('why' in group) {
      rows.push(uncheckedRow(group.title, group.step, group.why))
      continue
    }
    if (group.fresh && way.advances) {
      await stage.clock.advance(freshStart(policy, stage.clock.now()) - stage.clock.now())
    }
    rows.push(...(await runGroup(group, performer, options)))
  }
  // What a gateway lets on behind its caller's back has arrived by now.
  await new Promise(resolve => setImmediate(resolve))
  return [...rows, ...strayRows(rows, stage)]
}

/** Calls that reached the upstream, and that none of the rows has made. */
function strayRows(rows: readonly Row[], stage: Stage): Row[] {
  const made = new Set(rows.flatMap(({ calls }) => calls.flatMap(({ reached }) => reached)))
  const strays = stage.reached(0).filter(({ seq }) => !made.has(seq))
  if (strays.length === 0) return []
  const tools = counted(strays.map(({ tool }) => String(tool)))
  return [
    {
      ...uncheckedRow('the upstream', 'calls that nobody was answered for', `reached the upstream: ${tools}`),
      upstream: `reached ${strays.length} ×`,
      mark: 'wrong',
    },
  ]
}

async function runGroup(group: Group, performer: Performer, options: RunOptions): Promise<Row[]> {
  const { stage, way } = options
  const rows: Row[] = []
  let stuck = false
  for (const step of group.steps) {
    if ('advance' in step) {
      if (way.advances) await stage.clock.advance(step.advance)
      else stuck = true
    } else if (stuck) rows.push(uncheckedRow(group.title, wordsOf(step), MACHINE_TIME))
    else if ('list' in step) rows.push(await listRow(group, step, options))
    else if ('call' in step) rows.push(rowOf(group, step, await calls(step, performer)))
    else if ('batch' in step) rows.push(rowOf(group, step, await performer.batch(step)))
    else {
      const judged = await performer.approve()
      rows.push(
        judged === undefined
          ? uncheckedRow(group.title, wordsOf(step), 'how this gateway has calls approved is not known here')
          : rowOf(group, step, [judged]),
      )
    }
  }
  return rows
}

async function calls(step: CallStep, performer: Performer): Promise<JudgedCall[]> {
  const judged: JudgedCall[] = []
  for (let made = 0; made < (step.times ?? 1); made++) judged.push(await performer.call(step))
  return judged
}

async function listRow(
  group: Group,
  step: Extract<Step, { list: unknown }>,
  { stage, way, engine }: RunOptions,
): Promise<Row> {
  const { list: server, as = 'agent' } = step
  const genuine = stage.genuineTools(server)
  const expected = genuine.filter(tool => !engine.hides(tool))
  const answer = await (await way.caller(server, as)).ask('tools/list')
  const result = answer.kind === 'response' ? answer.message.result : undefined
  const tools = isObject(result) && Array.isArray(result.tools) ? result.tools : undefined
  const listed = tools?.flatMap(tool => (isObject(tool) ? [String(tool.name)] : []))
  const shows = (names: readonly string[]) => `${names.length} of ${genuine.length} tools`
  const row = { group: group.title, step: wordsOf(step), as, args: null, calls: [] }
  if (listed === undefined) {
    const why = `is answered with ${sawOf(answer)}`
    return { ...row, expected: shows(expected), saw: sawOf(answer), upstream: '', mark: 'wrong', why }
  }
  const seen = listed.filter(tool => !expected.includes(tool))
  const gone = expected.filter(tool => !listed.includes(tool))
  const why = [
    ...(seen.length > 0
      ? [`shows ${seen.join(', ')}, which ${seen.length === 1 ? 'is' : 'are'} hidden`]
      : []),
    ...(gone.length > 0 ? [`does not show ${gone.join(', ')}`] : []),
  ].join(', and ')
  const mark = why === '' ? 'ok' : 'wrong'
  return { ...row, expected: shows(expected), saw: shows(listed), upstream: '', mark, why: why || null }
}

function rowOf(group: Group, step: Exclude<Step, { advance: number }>, judged: readonly JudgedCall[]): Row {
  const wrong = judged.findIndex(({ mark }) => mark === 'wrong')
  const open = judged.find(({ mark }) => mark === 'unchecked')
  const mark: Mark = wrong >= 0 ? 'wrong' : open === undefined ? 'ok' : 'unchecked'
  const why = judged[wrong]?.why ?? open?.why ?? null
  const reached = judged.reduce((sum, call) => sum + call.reached.length, 0)
  const many = judged.length > 1
  return {
    group: group.title,
    step: wordsOf(step),
    as: 'as' in step ? (step.as ?? 'agent') : 'agent',
    args: 'args' in step ? step.args : null,
    expected: counted(judged.map(expectedWords)),
    saw: counted(judged.map(({ saw }) => saw)),
    upstream: reached === 0 ? 'not reached' : many ? `reached ${reached} ×` : 'reached',
    mark,
    why: why !== null && many && wrong >= 0 ? `call ${wrong + 1} ${why}` : why,
    calls: judged,
  }
}

function uncheckedRow(group: string, step: string, why: string): Row {
  const nothing = { expected: '', saw: '', upstream: '' }
  return { group, step, as: null, args: null, ...nothing, mark: 'unchecked', why, calls: [] }
}

function expectedWords({ expected, rule }: JudgedCall): string {
  return rule === null ? expected : `${expected}: ${rule}`
}

/** `a result × 30`. */
function counted(words: readonly string[]): string {
  const counts = new Map<string, number>()
  for (const word of words) if (word !== '') counts.set(word, (counts.get(word) ?? 0) + 1)
  return [...counts].map(([word, count]) => (count === 1 ? word : `${word} × ${count}`)).join(', ')
}

function wordsOf(step: Step): string {
  if ('advance' in step) return `${step.advance} ms later`
  if ('list' in step) return `tools/list of ${step.list}`
  if ('batch' in step) return `a batch: ${step.batch.map(({ call }) => call).join(', ')}`
  if ('approve' in step) return 'approved, and made again'
  const times = step.times === undefined || step.times === 1 ? '' : ` × ${step.times}`
  return `${step.call}${times}${step.say === undefined ? '' : `, ${step.say}`}`
}

interface PerformerOptions {
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
class Performer {
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
