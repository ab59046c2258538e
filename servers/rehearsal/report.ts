import type { Dialect } from '../gateway/policy/model.js'
import { REVISION } from './via/caller.js'

export type Expected = 'allow' | 'deny' | 'approve'
export type Mark = 'ok' | 'wrong' | 'unchecked'

/** One call of a rehearsal, held against what the policy says of it. */
export interface JudgedCall {
  /** By the decision engine, asked apart from the gateway. */
  readonly expected: Expected
  /** Which rule says so; null where none has to. */
  readonly rule: string | null
  /** What the caller saw, in words. */
  readonly saw: string
  /** The journal's entries of it at the upstream. */
  readonly reached: readonly number[]
  readonly mark: Mark
  /** What is wrong, or why it was not checked. */
  readonly why: string | null
}

/** One step of a rehearsal. */
export interface Row {
  readonly group: string
  /** What was done, in words. */
  readonly step: string
  readonly as: string | null
  /** As the scenario has them, references unresolved. */
  readonly args: unknown
  readonly expected: string
  readonly saw: string
  readonly upstream: string
  readonly mark: Mark
  readonly why: string | null
  readonly calls: readonly JudgedCall[]
}

/** What a policy lets be, and its author should know of. */
export interface LeftOpen {
  readonly code: string
  readonly message: string
}

/** A policy, carried out. */
export interface Rehearsal {
  readonly policy: { readonly file: string; readonly dialect: Dialect; readonly default: 'allow' | 'deny' }
  readonly via: string
  /** The MCP revision that the callers spoke. */
  readonly protocol: string
  readonly servers: readonly string[]
  /** The file of the scenario; null for one made from the policy. */
  readonly scenario: string | null
  readonly rows: readonly Row[]
  readonly open: readonly LeftOpen[]
  readonly counts: Readonly<Record<Mark, number>>
  /** Why the rehearsal ended early; null if it did not. Rows that were left out are not checked. */
  readonly stopped: string | null
  /** Whether nothing was wrong, something was checked, and nothing was left out. */
  readonly ok: boolean
}

const HEAD = ['call', 'the policy says', 'the caller saw', 'upstream', 'verdict'] as const
const WIDEST = 58

/** The most rows that are named beside one reason for which they were not checked. */
const MAX_NAMED = 12

const VERDICTS = { ok: 'ok', wrong: 'WRONG', unchecked: 'not checked' } as const

/** A rehearsal as a table, ending in a line break. */
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
  const widths = HEAD.map((head, column) =>
    Math.min(WIDEST, Math.max(head.length, ...table.map(row => row[column]?.length ?? 0))),
  )
  const line = (cellsOfRow: readonly string[]) =>
    `  ${cellsOfRow.map((cell, column) => cut(cell).padEnd(widths[column] ?? 0)).join('  ')}`.trimEnd()
  const wrong = rows.filter(({ mark }) => mark === 'wrong')
  const unchecked = rows.filter(({ mark }) => mark === 'unchecked')
  return `${[
    `${policy.file} (${policy.dialect}, by default ${policy.default}) in front of ${servers.join(' and ')}, through ${via}`,
    `scenario: ${scenario ?? 'made from the policy'}`,
    ...(protocol === REVISION ? [] : [`callers speak MCP ${protocol}`]),
    '',
    line(HEAD),
    ...table.map(line),
    ...section('Wrong', wrong.map(sentence)),
    ...section('Not checked', gathered(unchecked)),
    ...section(
      'Left open by the policy',
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

/** Rows that were passed over for the same reason, together. */
function gathered(rows: readonly Row[]): string[] {
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
  return text.length <= WIDEST ? text : `${text.slice(0, WIDEST - 1)}…`
}
