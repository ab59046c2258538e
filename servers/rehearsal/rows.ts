import { denialIn } from './denial.js'
import { type JudgeContext, judgeCall, sawInCall, sawOf } from './judge.js'
import {
  judgeList,
  judgeRelay,
  type ListRecord,
  type RelayRecord,
  toolsIn,
  toolsOf,
} from './judge-exchange.js'
import type { Step } from './plan/step.js'
import type { CallRecord, Skipped } from './record.js'
import type { JudgedCall, Mark, Row } from './report.js'
import type { Arrived } from './stage/stage.js'

/** A step of the plan with its result. If the step was not checked, `unchecked` is the reason. */
export type Performed = { readonly group: string; readonly step: Step } & (
  | { readonly records: readonly (CallRecord | Skipped)[] }
  | { readonly listed: ListRecord }
  | { readonly relayed: RelayRecord }
  | { readonly unchecked: string }
)

/** The facts and options that are needed to judge rows. */
export interface Judging extends JudgeContext {
  /** The names of checks that are switched off. */
  readonly off: ReadonlySet<string>
}

const NOTHING = { as: null, args: null, expected: '', saw: '', upstream: '', why: null, calls: [] }

const UNSURE =
  'no denial was certain, because a window ended, a bucket refilled, or the upstream failed calls; run the rehearsal again, with more calls'

const USED_UP = 'earlier rows had used up the limit, and the rehearsal cannot move the clock of this gateway'

/** Judges a step. @returns its row in the report */
export function rowOf(performed: Performed, judging: Judging): Row {
  const { group, step } = performed
  const row = { ...NOTHING, group, step: stepWords(step) }
  if ('unchecked' in performed) return { ...row, mark: 'unchecked', why: performed.unchecked }
  if ('listed' in performed) {
    const { listed } = performed
    const why = judgeList(listed, judging.off)
    const shown = [...listed.listing.keys()].filter(tool => !listed.hides(tool))
    const all = listed.listing.size
    const broken = listed.pages.find(page => toolsIn(page) === undefined)
    const saw = broken === undefined ? `${toolsOf(listed).length} of ${all} tools` : sawOf(broken)
    const as = 'as' in step ? step.as : null
    return { ...row, as, expected: `${shown.length} of ${all} tools`, saw, mark: markOf(why), why }
  }
  if ('relayed' in performed) {
    const { relayed } = performed
    const why = judgeRelay(relayed, judging.off)
    const tried = [
      'initialized',
      ...(relayed.cancelled === null ? [] : ['cancelled']),
      ...(relayed.progress === null ? [] : ['progress']),
    ].join(', ')
    return { ...row, expected: tried, saw: why === null ? tried : '', mark: markOf(why), why }
  }
  if (performed.records.length === 0) return { ...row, mark: 'unchecked', why: USED_UP }
  return callsRow(
    row,
    step,
    performed.records.map(record => judged(record, judging)),
  )
}

function markOf(why: string | null): Mark {
  return why === null ? 'ok' : 'wrong'
}

function callsRow(row: Omit<Row, 'mark'>, step: Step, calls: readonly JudgedCall[]): Row {
  const wrong = calls.findIndex(({ mark }) => mark === 'wrong')
  const open = calls.find(({ mark }) => mark === 'unchecked')?.why ?? unproven(calls)
  const mark: Mark = wrong >= 0 ? 'wrong' : open === null ? 'ok' : 'unchecked'
  const why = calls[wrong]?.why ?? open
  const reached = calls.reduce((sum, call) => sum + call.reached.length, 0)
  const many = calls.length > 1
  const [planned] = 'calls' in step ? step.calls : []
  return {
    ...row,
    as: planned?.as ?? 'agent',
    args: planned?.args ?? null,
    expected: counted(calls.map(expectedWords)),
    saw: counted(calls.map(({ saw }) => saw)),
    upstream: reached === 0 ? 'not reached' : many ? `reached ${reached} ×` : 'reached',
    mark,
    why: why !== null && many && wrong >= 0 ? `call ${wrong + 1} ${detail(step, wrong)}${why}` : why,
    calls,
  }
}

/**
 * Returns the reason why calls do not prove a limit. Null if at least one expected denial is certain, or if
 * every expected outcome is certain.
 */
function unproven(calls: readonly JudgedCall[]): string | null {
  const sure = calls.some(({ expected, unsure }) => expected !== 'allow' && !unsure)
  return sure || calls.every(({ unsure }) => !unsure) ? null : UNSURE
}

/**
 * Describes one of several different calls by its arguments. If the tools differ, describes it by its tool.
 * Empty if all calls are equal.
 */
function detail(step: Step, at: number): string {
  if (!('calls' in step)) return ''
  const call = step.calls[at]
  const texts = new Set(step.calls.map(({ tool, args }) => JSON.stringify([tool, args])))
  if (call === undefined || texts.size === 1) return ''
  const tools = new Set(step.calls.map(({ tool }) => tool))
  const said = tools.size === 1 ? JSON.stringify(call.args) : JSON.stringify(call.tool)
  return `(${said.length > 120 ? `${said.slice(0, 120)}…` : said}) `
}

function judged(record: CallRecord | Skipped, judging: Judging): JudgedCall {
  if (!('call' in record)) {
    const { expected, why, arrived } = record
    const nothing = { rule: null, unsure: false, saw: '', denial: null }
    return { expected, ...nothing, reached: seqs(arrived), mark: 'unchecked', why }
  }
  const { expected, answer, arrived, late, refusedBatch, call } = record
  const why = judgeCall(record, judging, judging.off)
  // If the call reached the upstream, an error in the answer comes from the upstream and is not a denial.
  const denial = arrived.length === 0 ? denialIn(answer) : undefined
  const saw = call.notification === true && answer.kind !== 'response' ? '' : sawInCall(record)
  return {
    expected: expected.outcome,
    rule: expected.outcome === 'allow' ? null : (expected.rule ?? null),
    unsure: expected.unsure ?? false,
    saw: refusedBatch ? `${saw}, with the whole batch` : saw,
    denial: denial ?? null,
    reached: seqs([...arrived, ...late]),
    mark: markOf(why),
    why,
  }
}

function seqs(arrived: readonly Arrived[]): number[] {
  return arrived.map(({ entry }) => entry.seq)
}

/**
 * Returns a row for the upstream requests that belong to no call of the rehearsal. Empty if there are no such
 * requests.
 */
export function strayRows(strays: readonly Arrived[]): Row[] {
  if (strays.length === 0) return []
  const tools = counted(strays.map(({ entry }) => String(entry.tool)))
  return [
    {
      ...NOTHING,
      group: 'the upstream',
      step: 'calls that belong to no row',
      upstream: `reached ${strays.length} ×`,
      mark: 'wrong',
      why: `reached the upstream: ${tools}`,
    },
  ]
}

/** Returns the row for a part of the plan that could not be planned. */
export function unplannedRow({ title, step, why }: { title: string; step: string; why: string }): Row {
  return { ...NOTHING, group: title, step, mark: 'unchecked', why }
}

function expectedWords({ expected, rule }: JudgedCall): string {
  return rule === null ? expected : `${expected}: ${rule}`
}

/** Joins texts. Joins equal texts as one text with their number, e.g. `a result × 30`. */
function counted(words: readonly string[]): string {
  const counts = new Map<string, number>()
  for (const word of words) if (word !== '') counts.set(word, (counts.get(word) ?? 0) + 1)
  return [...counts].map(([word, count]) => (count === 1 ? word : `${word} × ${count}`)).join(', ')
}

function stepWords(step: Step): string {
  if ('list' in step) return `tools/list of ${step.list}${step.paged ? ', in pages' : ''}`
  if ('relay' in step) return `notifications to and from ${step.relay}`
  if ('approve' in step) return 'approved, and made again'
  if ('calls' in step) return step.say
  return 'advance' in step ? `${step.advance} ms later` : `${step.windowMs} ms later`
}
