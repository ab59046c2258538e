import type { Dialect } from '../gateway/policy/model.js'
import { type Denial, formOf } from './denial.js'
import { REVISION } from './via/caller.js'

export type Expected = 'allow' | 'deny' | 'approve'
export type Mark = 'ok' | 'wrong' | 'unchecked'

/** One call of a rehearsal with its verdict. */
export interface JudgedCall {
  /** The expected outcome, which comes from the rehearsal's own decision engine or from the scenario. */
  readonly expected: Expected
  /**
   * The rule that denies the call or asks for approval. Null for an allowed call, or if the outcome comes
   * from `expect` of a scenario.
   */
  readonly rule: string | null
  /**
   * True if it is not known whether a limit allows or denies the call. `expected` is then the observed
   * outcome.
   */
  readonly unsure: boolean
  /** The answer in words, as the caller saw it. */
  readonly saw: string
  /**
   * The denial in the gateway's answer. Null if the answer is no denial, or if the call reached the upstream.
   */
  readonly denial: Denial | null
  /** The `seq` of each journal entry that belongs to this call. */
  readonly reached: readonly number[]
  readonly mark: Mark
  /** The problem, or the reason why the call was not checked. Null for a call that is ok. */
  readonly why: string | null
}

/** One step of a rehearsal in the report, with the calls of the step. */
export interface Row {
  readonly group: string
  /** The step in words. */
  readonly step: string
  readonly as: string | null
  /** The arguments of the first call, before their references are resolved. */
  readonly args: unknown
  readonly expected: string
  readonly saw: string
  readonly upstream: string
  readonly mark: Mark
  readonly why: string | null
  readonly calls: readonly JudgedCall[]
}

/** A warning for the author of the policy, e.g. that the policy leaves a tool open. */
export interface LeftOpen {
  readonly code: string
  readonly message: string
}

/** The result of a rehearsal. */
export interface Rehearsal {
  /** Null if there was no policy, and the scenario gave the expected outcomes. */
  readonly policy: {
    readonly file: string
    readonly dialect: Dialect
    readonly default: 'allow' | 'deny'
  } | null
  readonly via: string
  /** The MCP revision that the callers spoke. */
  readonly protocol: string
  readonly servers: readonly string[]
  /** The file of the scenario. Null if the rows were made from the policy. */
  readonly scenario: string | null
  readonly rows: readonly Row[]
  readonly open: readonly LeftOpen[]
  readonly counts: Readonly<Record<Mark, number>>
  /** The reason why the rehearsal ended early, or null. Rows that had not run by then are unchecked. */
  readonly stopped: string | null
  /** True if no row is wrong, at least one row is ok, and the rehearsal ran to its end. */
  readonly ok: boolean
}

const MAX_CELL_CHARS = 58

/** Maximum number of unchecked rows that are named for one reason. */
const MAX_NAMED = 12

const VERDICTS = { ok: 'ok', wrong: 'WRONG', unchecked: 'not checked' } as const

/** Formats a rehearsal as a table with a list of problems. The text ends with a line break. */
export function reportText({
  policy,
  via,
  protocol,
  servers,
  scenario,
  rows,
  open,
  counts,
  stopped,
}: Rehearsal): string {
  const table = rows.map(cells)
  const says = policy === null ? 'the scenario says' : 'the policy says'
  const head = ['call', says, 'the caller saw', 'upstream', 'verdict']
  const widths = head.map((head, column) =>
    Math.min(MAX_CELL_CHARS, Math.max(head.length, ...table.map(row => row[column]?.length ?? 0))),
  )
  const line = (cellsOfRow: readonly string[]) =>
    `  ${cellsOfRow.map((cell, column) => cut(cell).padEnd(widths[column] ?? 0)).join('  ')}`.trimEnd()
  const wrong = rows.filter(({ mark }) => mark === 'wrong')
  const unchecked = rows.filter(({ mark }) => mark === 'unchecked')
  return `${[
    ...(policy === null
      ? [`${scenario} in front of ${servers.join(' and ')}, through ${via}`]
      : [
          `${policy.file} (${policy.dialect}, by default ${policy.default}) in front of ${servers.join(' and ')}, through ${via}`,
          `scenario: ${scenario ?? 'made from the policy'}`,
        ]),
    ...(protocol === REVISION ? [] : [`callers speak MCP ${protocol}`]),
    '',
    line(head),
    ...table.map(line),
    ...section('Wrong', wrong.map(sentence)),
    ...section('Not checked', uncheckedLines(unchecked)),
    ...section('Denials', denialLines(rows)),
    ...section(
      policy === null ? 'Worth knowing' : 'Left open by the policy',
      open.map(({ message }) => message),
    ),
    ...section('Ended early', stopped === null ? [] : [stopped]),
    '',
    `${rows.length} rows: ${counts.ok} ok, ${counts.wrong} wrong, ${counts.unchecked} not checked`,
  ].join('\n')}\n`
}

function cells({ step, expected, saw, upstream, mark }: Row): string[] {
  return [step, expected, saw, upstream, VERDICTS[mark]]
}

function sentence({ group, step, why }: Row): string {
  return step.startsWith(group) ? `${step}: ${why}` : `${step} (${group}): ${why}`
}

/** Returns a line for each form of denial, with the most frequent text of that form. */
function denialLines(rows: readonly Row[]): string[] {
  const forms = new Map<string, Map<string, number>>()
  for (const { denial } of rows.flatMap(({ calls }) => calls)) {
    if (denial === null) continue
    const texts = forms.get(formOf(denial)) ?? new Map<string, number>()
    forms.set(formOf(denial), texts.set(denial.text, (texts.get(denial.text) ?? 0) + 1))
  }
  return [...forms].map(([form, texts]) => {
    const [[text, count] = ['', 0]] = [...texts].sort(([, one], [, other]) => other - one)
    const all = [...texts.values()].reduce((sum, each) => sum + each, 0)
    const others = texts.size > 1 ? ` × ${count}, and ${texts.size - 1} other texts` : ''
    return `${form} × ${all}: ${text === '' ? 'no text' : JSON.stringify(text)}${others}`
  })
}

/** Returns a line for each reason why rows are unchecked. The line names the rows with that reason. */
function uncheckedLines(rows: readonly Row[]): string[] {
  const steps = new Map<string, string[]>()
  for (const row of rows) {
    const why = row.why ?? ''
    steps.set(why, [...(steps.get(why) ?? []), row.step === 'the limit' ? row.group : row.step])
  }
  return [...steps].map(([why, of]) => {
    const named = of.length > MAX_NAMED ? [...of.slice(0, MAX_NAMED), `${of.length - MAX_NAMED} more`] : of
    return `${named.join('; ')}: ${why}`
  })
}

function section(title: string, lines: readonly string[]): string[] {
  return lines.length === 0 ? [] : ['', `${title}:`, ...lines.map(text => `  - ${text}`)]
}

function cut(text: string): string {
  return text.length <= MAX_CELL_CHARS ? text : `${text.slice(0, MAX_CELL_CHARS - 1)}…`
}

/**
 * Formats rehearsals as JUnit XML, with a suite for each rehearsal and a test case for each row. An unchecked
 * row becomes a skipped test case.
 */
export function junitXml(rehearsals: readonly Rehearsal[]): string {
  const suites = rehearsals.map(suite).join('')
  const total = (mark: Row['mark']) => rehearsals.reduce((sum, { counts }) => sum + counts[mark], 0)
  const tests = rehearsals.reduce((sum, { rows }) => sum + rows.length, 0)
  const counts = { tests, failures: total('wrong'), skipped: total('unchecked') }
  return `<?xml version="1.0" encoding="UTF-8"?>\n<testsuites${attributes({ name: 'understudy rehearse', ...counts })}>\n${suites}</testsuites>\n`
}

function suite({ policy, scenario, rows, counts, stopped }: Rehearsal): string {
  const file = policy?.file ?? scenario ?? ''
  // A rehearsal that ended early gets an additional failed test case, because all of its rows can be ok.
  const early =
    stopped === null
      ? ''
      : `    <testcase${attributes({ classname: file, name: 'runs to its end' })}>\n      <failure${attributes({ message: stopped })}/>\n    </testcase>\n`
  const extra = stopped === null ? 0 : 1
  const numbers = {
    name: file,
    tests: rows.length + extra,
    failures: counts.wrong + extra,
    skipped: counts.unchecked,
  }
  return `  <testsuite${attributes(numbers)}>\n${rows.map(row => testCase(file, row)).join('')}${early}  </testsuite>\n`
}

function testCase(file: string, { group, step, mark, why, expected, saw, upstream }: Row): string {
  const open = `    <testcase${attributes({ classname: `${file}: ${group}`, name: step })}`
  if (mark === 'ok') return `${open}/>\n`
  const message = attributes({ message: why ?? '' })
  if (mark === 'unchecked') return `${open}>\n      <skipped${message}/>\n    </testcase>\n`
  const text = `expected: ${expected}\nthe caller saw: ${saw}\nupstream: ${upstream}`
  return `${open}>\n      <failure${message}>${escaped(text)}</failure>\n    </testcase>\n`
}

function attributes(values: Readonly<Record<string, string | number>>): string {
  return Object.entries(values)
    .map(([name, value]) => ` ${name}="${escaped(String(value))}"`)
    .join('')
}

const ENTITIES: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  '\n': '&#10;',
  '\t': '&#9;',
}

/** Escapes text for XML 1.0. Replaces characters that XML does not allow, such as most control characters. */
function escaped(text: string): string {
  return text
    .replace(/[&<>"\n\t]/g, char => ENTITIES[char] ?? char)
    .replace(/[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\u{10000}-\u{10ffff}]/gu, '\ufffd')
}
