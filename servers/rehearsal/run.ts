import { isObject } from '../../shared/util/is-object.js'
import type { PolicyEngine } from '../gateway/policy/index.js'
import type { Policy } from '../gateway/policy/model.js'
import { Performer } from './call-runner.js'
import { type SecretsSeen, sawOf } from './judge.js'
import type { Planned } from './plan/limit-steps.js'
import { freshStart } from './plan/plan.js'
import type { JudgedCall, Mark, Row } from './report.js'
import type { CallStep, Group, Step } from './scenario.js'
import type { Stage } from './stage/stage.js'
import type { Way } from './via/gateway.js'

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
