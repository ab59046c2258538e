import type { Rehearsal, Row } from './report.js'

const HEAD = ['call', 'the policy says', 'the caller saw', 'upstream', 'verdict'] as const
const WIDEST = 58

const VERDICTS = { ok: 'ok', wrong: 'WRONG', unchecked: 'not checked' } as const

/** A rehearsal as a table, ending in a line break. */
export function reportText({ policy, via, servers, scenario, rows, open, counts }: Rehearsal): string {
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
    '',
    line(HEAD),
    ...table.map(line),
    ...section('Wrong', wrong.map(sentence)),
    ...section('Not checked', gathered(unchecked)),
    ...section(
      'Left open by the policy',
      open.map(({ message }) => message),
    ),
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
  return [...steps].map(([why, of]) => `${of.join('; ')}: ${why}`)
}

function section(title: string, lines: readonly string[]): string[] {
  return lines.length === 0 ? [] : ['', `${title}:`, ...lines.map(text => `  - ${text}`)]
}

function cut(text: string): string {
  return text.length <= WIDEST ? text : `${text.slice(0, WIDEST - 1)}…`
}
