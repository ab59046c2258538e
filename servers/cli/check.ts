import { Refusal } from '../../shared/errors.js'
import { FileError, readRegularFile } from '../../shared/util/read-file.js'
import { explainPolicy, type ToolMeaning } from '../gateway/policy/explain.js'
import { PolicyRefusal, readPolicy } from '../gateway/policy/index.js'
import type { Dialect, Warning } from '../gateway/policy/model.js'
import { type Problem, sentenceOf } from '../gateway/policy/problems.js'
import { reviewPolicy } from '../gateway/policy/review.js'
import type { ParsedArgs } from './commands.js'
import { UsageError } from './usage-error.js'

/** The report of `understudy check` on a policy. */
type PolicyReport =
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

/**
 * `understudy check FILE`: says how a policy is read, tool by tool, and what looks wrong with it.
 *
 * @returns the exit code: 0 for a policy, 1 for none, or with `--strict` for one that something looks wrong with
 */
export async function check({ options, operand: file }: ParsedArgs<'check'>): Promise<0 | 1> {
  if (file === undefined) throw new UsageError('check has no file', 'name one: understudy check policy.json')
  const report = examine(textOf(file), file)
  process.stdout.write(options.json ? `${JSON.stringify(report)}\n` : reportText(report))
  if (!report.valid) return 1
  return options.strict && report.warnings.some(({ level }) => level === 'warning') ? 1 : 0
}

function examine(text: string, file: string): PolicyReport {
  try {
    const reading = readPolicy(text, file)
    return {
      file,
      kind: 'policy',
      valid: true,
      dialect: reading.dialect,
      default: reading.policy.default,
      tools: explainPolicy(reading.policy),
      warnings: reviewPolicy(reading),
    }
  } catch (error) {
    if (!(error instanceof PolicyRefusal)) throw error
    return { file: error.file, kind: 'policy', valid: false, problems: error.problems }
  }
}

function textOf(file: string): string {
  try {
    return readRegularFile(file).toString('utf8')
  } catch (error) {
    if (!(error instanceof FileError)) throw error
    const hint = 'name a file that is there'
    throw new Refusal('no_file', `cannot read ${JSON.stringify(file)} (${error.message})`, hint)
  }
}

const DIALECTS: Record<Dialect, string> = {
  intercept: 'Intercept YAML',
  policylayer: 'PolicyLayer policy.json',
  'policylayer-page': "the form printed on PolicyLayer's tool pages",
}

/** The report in words, ending in a line break. */
function reportText(report: PolicyReport): string {
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
