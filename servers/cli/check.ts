import { Refusal } from '../../shared/errors.js'
import { FileError, readRegularFile } from '../../shared/util/read-file.js'
import { explainPolicy, type ToolMeaning } from '../gateway/policy/explain.js'
import { type DialectVersion, PolicyRefusal, policyText, readPolicy } from '../gateway/policy/index.js'
import type { Dialect, Warning } from '../gateway/policy/model.js'
import { type Problem, sentenceOf } from '../gateway/policy/problems.js'
import { reviewPolicy } from '../gateway/policy/review.js'
import { isScenario, limitWords, readScenarioFile, type ScenarioReading } from '../rehearsal/scenario.js'
import type { ParsedArgs } from './commands.js'
import { UsageError } from './usage-error.js'

/** The report of `understudy check` on a policy. */
type PolicyReport =
  | {
      file: string
      kind: 'policy'
      valid: true
      dialect: Dialect
      /** The version of Intercept's language by which the policy was read. Null for PolicyLayer. */
      version: DialectVersion | null
      /**
       * The earliest version of Intercept's language that has every feature of the policy. Null for
       * PolicyLayer.
       */
      needs: DialectVersion | null
      default: 'allow' | 'deny'
      tools: ToolMeaning[]
      warnings: Warning[]
    }
  | { file: string; kind: 'policy'; valid: false; problems: readonly Problem[] }

/**
 * Runs `understudy check FILE`: prints the meaning of a policy for each tool, with warnings, or the meaning
 * of each step of a scenario.
 *
 * @returns the exit code: 0 for a valid policy or scenario, 1 for any other file. With `--strict`, also 1 for
 *   a policy with warnings
 * @throws UsageError without a file
 * @throws Refusal `no_file` for a file that cannot be read
 */
export async function check({ options, operand: file }: ParsedArgs<'check'>): Promise<0 | 1> {
  if (file === undefined) throw new UsageError('check has no file', 'name one: understudy check policy.json')
  const bytes = readFileBytes(file)
  if (isScenario(bytes.toString('utf8'))) return checkScenario(file, options.json)
  const report = policyReport(bytes, file, options.dialect)
  process.stdout.write(options.json ? `${JSON.stringify(report)}\n` : policyReportText(report))
  if (!report.valid) return 1
  return options.strict && report.warnings.some(({ level }) => level === 'warning') ? 1 : 0
}

function policyReport(bytes: Buffer, file: string, version: DialectVersion | undefined): PolicyReport {
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

function readFileBytes(file: string): Buffer {
  try {
    return readRegularFile(file)
  } catch (error) {
    if (!(error instanceof FileError)) throw error
    const hint = 'name a file that exists and can be read'
    throw new Refusal('no_file', `cannot read ${JSON.stringify(file)} (${error.message})`, hint)
  }
}

const DIALECTS: Record<Dialect, string> = {
  intercept: 'Intercept YAML',
  policylayer: 'PolicyLayer policy.json',
  'policylayer-page': "the form printed on PolicyLayer's tool pages",
}

/** Formats the report as text with a line break at the end. */
function policyReportText(report: PolicyReport): string {
  if (!report.valid) {
    const count = report.problems.length === 1 ? '1 problem' : `${report.problems.length} problems`
    const lines = report.problems.map(problem => sentenceOf(report.file, problem))
    const summary = `${report.file} is not a valid policy: ${count}. No rule of this file would be enforced.`
    return `${[...lines, '', summary].join('\n')}\n`
  }
  const width = Math.max(...report.tools.map(({ tool }) => tool.length))
  const lines = [
    `${report.file}: read as ${DIALECTS[report.dialect]}${versionWords(report)}; ` +
      `tools that it does not name are ${report.default === 'deny' ? 'denied' : 'allowed'}`,
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

/**
 * Returns the version by which the policy was read, and an earlier one if that suffices. Empty for
 * PolicyLayer.
 */
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

/** The report of `understudy check` on a scenario. */
type ScenarioReport =
  | {
      file: string
      kind: 'scenario'
      valid: true
      steps: { step: string; expects: string }[]
      /** The calls without `expect`, e.g. `scenario.yaml:7: scenario.steps[2]`. */
      withoutExpect: readonly string[]
    }
  | { file: string; kind: 'scenario'; valid: false; problems: string[] }

/**
 * Validates a scenario and prints the meaning of each step.
 *
 * @param json whether the report is one line of JSON instead of text
 * @returns the exit code: 0 for a valid scenario, 1 for any other file
 * @throws Refusal for a file that cannot be read
 */
async function checkScenario(file: string, json: boolean): Promise<0 | 1> {
  const report = await scenarioReport(file)
  process.stdout.write(json ? `${JSON.stringify(report)}\n` : scenarioReportText(report))
  return report.valid ? 0 : 1
}

async function scenarioReport(file: string): Promise<ScenarioReport> {
  try {
    const { scenario, withoutExpect } = await readScenarioFile(file)
    return { file, kind: 'scenario', valid: true, steps: scenario.steps.map(stepWords), withoutExpect }
  } catch (error) {
    if (!(error instanceof Refusal)) throw error
    return { file, kind: 'scenario', valid: false, problems: error.sentence.split('\n') }
  }
}

/** Returns the text of a step and of its expected outcome. */
function stepWords(step: ScenarioReading['scenario']['steps'][number]): { step: string; expects: string } {
  if ('advance' in step) return { step: `${step.advance} ms pass`, expects: '' }
  if ('approve' in step) return { step: 'approved, and made again', expects: 'allow' }
  if ('list' in step) {
    const hidden =
      step.hides === undefined || step.hides.length === 0 ? '' : `without ${step.hides.join(', ')}`
    return { step: `tools/list of ${step.list}`, expects: hidden }
  }
  if ('batch' in step) {
    const expects = step.batch.map(({ expect = 'by the policy' }) => expect).join(', ')
    return { step: `a batch: ${step.batch.map(({ call }) => call).join(', ')}`, expects }
  }
  const { call, times = 1, as, expect = 'by the policy', limit } = step
  const by = as === undefined ? '' : `, by ${as}`
  const expects = limit === undefined ? expect : `allow, up to ${limitWords(limit)}`
  return { step: `${call}${times === 1 ? '' : ` × ${times}`}${by}`, expects }
}

/** Formats the report as text with a line break at the end. */
function scenarioReportText(report: ScenarioReport): string {
  if (!report.valid) {
    return `${[...report.problems, '', `${report.file} is not a valid scenario.`].join('\n')}\n`
  }
  const { file, steps, withoutExpect } = report
  const width = Math.max(...steps.map(({ step }) => step.length))
  const lines = [
    `${file}: a scenario of ${steps.length === 1 ? '1 step' : `${steps.length} steps`}`,
    '',
    ...steps.map(({ step, expects }) => `  ${step.padEnd(width)}  ${expects}`.trimEnd()),
    ...(withoutExpect.length === 0 ? [] : ['', 'Worth knowing:']),
    ...withoutExpect.map(
      place => `  - ${place} has no expect: rehearse it with a policy, which determines the outcome`,
    ),
  ]
  return `${lines.join('\n')}\n`
}
