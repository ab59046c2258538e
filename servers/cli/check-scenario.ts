import { Refusal } from '../../shared/errors.js'
import { limitWords, readScenarioFile, type ScenarioReading } from '../rehearsal/scenario.js'

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
export async function checkScenario(file: string, json: boolean): Promise<0 | 1> {
  const report = await scenarioReport(file)
  process.stdout.write(json ? `${JSON.stringify(report)}\n` : reportText(report))
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
function reportText(report: ScenarioReport): string {
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
