import type { Rehearsal, Row } from './report.js'

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
