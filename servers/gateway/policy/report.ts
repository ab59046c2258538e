import { explainPolicy, type ToolMeaning } from './explain.js'
import type { Dialect, PolicyReading, Warning } from './model.js'
import type { PolicyRefusal, Problem } from './problems.js'
import { sentenceOf } from './problems.js'
import { reviewPolicy } from './review.js'

/** What `understudy check` says of a policy. */
export type PolicyReport =
  | {
      file: string
      kind: 'policy'
      valid: true
      dialect: Dialect
      default: 'allow' | 'deny'
      tools: ToolMeaning[]
      warnings: Warning[]
    }
  | { file: string; kind: 'policy'; valid: false; problems: readonly Problem[] }

export function reportOn(file: string, reading: PolicyReading): PolicyReport {
  return {
    file,
    kind: 'policy',
    valid: true,
    dialect: reading.dialect,
    default: reading.policy.default,
    tools: explainPolicy(reading.policy),
    warnings: reviewPolicy(reading),
  }
}

export function reportOnRefused({ file, problems }: PolicyRefusal): PolicyReport {
  return { file, kind: 'policy', valid: false, problems }
}

const DIALECTS: Record<Dialect, string> = {
  intercept: 'Intercept YAML',
  policylayer: 'PolicyLayer policy.json',
  'policylayer-page': "the form printed on PolicyLayer's tool pages",
}

/** The report in words, ending in a line break. */
export function reportText(report: PolicyReport): string {
  if (!report.valid) {
    const count = report.problems.length === 1 ? '1 problem' : `${report.problems.length} problems`
    const lines = report.problems.map(problem => sentenceOf(report.file, problem))
    return `${[...lines, '', `${report.file} is no policy: ${count}. It would not be enforced at all.`].join('\n')}\n`
  }
  const width = Math.max(...report.tools.map(({ tool }) => tool.length))
  const lines = [
    `${report.file}: read as ${DIALECTS[report.dialect]}; what it does not name is ${report.default === 'deny' ? 'denied' : 'allowed'}`,
    '',
    ...report.tools.map(
      ({ tool, verdict, words }) => `  ${tool.padEnd(width)}  ${verdict.padEnd(11)}  ${words}`,
    ),
    ...section(
      'Looks wrong',
      report.warnings.filter(({ level }) => level === 'warning'),
    ),
    ...section(
      'Worth knowing',
      report.warnings.filter(({ level }) => level === 'note'),
    ),
  ]
  return `${lines.join('\n')}\n`
}

function section(title: string, warnings: readonly Warning[]): string[] {
  if (warnings.length === 0) return []
  return [
    '',
    `${title}:`,
    ...warnings.map(({ line, message }) => `  - ${line === undefined ? '' : `line ${line}: `}${message}`),
  ]
}
