import { Refusal } from '../../shared/errors.js'
import { FileError, readRegularFile } from '../../shared/util/read-file.js'
import { explainPolicy, type ToolMeaning } from '../gateway/policy/explain.js'
import { type DialectVersion, PolicyRefusal, policyText, readPolicy } from '../gateway/policy/index.js'
import type { Dialect, Warning } from '../gateway/policy/model.js'
import { type Problem, sentenceOf } from '../gateway/policy/problems.js'
import { reviewPolicy } from '../gateway/policy/review.js'
import { isScenario } from '../rehearsal/scenario.js'
import { checkScenario } from './check-scenario.js'
import type { ParsedArgs } from './commands.js'
import { UsageError } from './usage-error.js'

/** The report of `understudy check` on a policy. */
type PolicyReport =
  | {
      file: string
      kind: 'policy'
      valid: true
      dialect: Dialect
      /** The version of Intercept's language in which the policy was read. Null for PolicyLayer. */
      version: DialectVersion | null
      /**
       * The earliest version of Intercept's language that has everything the policy uses. Null for
       * PolicyLayer.
       */
      needs: DialectVersion | null
      default: 'allow' | 'deny'
      tools: ToolMeaning[]
      warnings: Warning[]
    }
  | { file: string; kind: 'policy'; valid: false; problems: readonly Problem[] }

/**
 * `understudy check FILE`: prints the meaning of a policy for each tool, with warnings. Of a scenario, prints
 * each step.
 *
 * @returns the exit code: 0 for a policy or a scenario, 1 for any other file, with `--strict` also for a
 *   policy with warnings
 */
export async function check({ options, operand: file }: ParsedArgs<'check'>): Promise<0 | 1> {
  if (file === undefined) throw new UsageError('check has no file', 'name one: understudy check policy.json')
  const bytes = bytesOf(file)
  if (isScenario(bytes.toString('utf8'))) return checkScenario(file, options.json)
  const report = examine(bytes, file, options.dialect)
  process.stdout.write(options.json ? `${JSON.stringify(report)}\n` : reportText(report))
  if (!report.valid) return 1
  return options.strict && report.warnings.some(({ level }) => level === 'warning') ? 1 : 0
}

function examine(bytes: Buffer, file: string, version: DialectVersion | undefined): PolicyReport {
  try {
    const reading = readPolicy(policyText(bytes, file), file, version)
    return {
      file,
      kind: 'policy',
      valid: true,
      dialect: reading.dialect,
      version: reading.version,
      needs: reading.needs,
      default: reading.policy.default,
      tools: explainPolicy(reading.policy),
      warnings: reviewPolicy(reading),
    }
  } catch (error) {
    if (!(error instanceof PolicyRefusal)) throw error
    return { file: error.file, kind: 'policy', valid: false, problems: error.problems }
  }
}

function bytesOf(file: string): Buffer {
  try {
    return readRegularFile(file)
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

/** Formats the report as text that ends in a line break. */
function reportText(report: PolicyReport): string {
  if (!report.valid) {
    const count = report.problems.length === 1 ? '1 problem' : `${report.problems.length} problems`
    const lines = report.problems.map(problem => sentenceOf(report.file, problem))
    return `${[...lines, '', `${report.file} is no policy: ${count}. It would not be enforced at all.`].join('\n')}\n`
  }
  const width = Math.max(...report.tools.map(({ tool }) => tool.length))
  const lines = [
    `${report.file}: read as ${DIALECTS[report.dialect]}${versionWords(report)}; what it does not name is ${report.default === 'deny' ? 'denied' : 'allowed'}`,
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

function versionWords({ version, needs }: Extract<PolicyReport, { valid: true }>): string {
  if (version === null) return ''
  return needs === version ? ` by ${version}` : ` by ${version} (${needs} would do)`
}

function section(title: string, warnings: readonly Warning[]): string[] {
  if (warnings.length === 0) return []
  return [
    '',
    `${title}:`,
    ...warnings.map(({ line, message }) => `  - ${line === undefined ? '' : `line ${line}: `}${message}`),
  ]
}
