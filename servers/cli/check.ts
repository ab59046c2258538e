import { Refusal } from '../../shared/errors.js'
import { FileError, readRegularFile } from '../../shared/util/read-file.js'
import { PolicyRefusal, readPolicy } from '../gateway/policy/index.js'
import { type PolicyReport, reportOn, reportOnRefused, reportText } from '../gateway/policy/report.js'
import type { ParsedArgs } from './commands.js'
import { UsageError } from './usage-error.js'

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
    return reportOn(file, readPolicy(text, file))
  } catch (error) {
    if (error instanceof PolicyRefusal) return reportOnRefused(error)
    throw error
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
