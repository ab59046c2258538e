import { Refusal } from '../../shared/errors.js'
import { FileError, readRegularFile } from '../../shared/util/read-file.js'
import { PolicyRefusal, readPolicy } from '../gateway/policy/index.js'
import { type PolicyReport, reportOn, reportOnRefused, reportText } from '../gateway/policy/report.js'
import { type Given, UsageError } from './options.js'

/**
 * `understudy check FILE`: says how a policy is read, tool by tool, and what looks wrong with it.
 *
 * @returns the exit code: 0 for a policy, 1 for none, or with `--strict` for one that something looks wrong with
 */
export async function check(given: Given): Promise<0 | 1> {
  const [file] = given.operands
  if (file === undefined) throw new UsageError('check has no file', 'name one: understudy check policy.json')
  const report = examine(textOf(file), file)
  process.stdout.write(given.flag('json') ? `${JSON.stringify(report)}\n` : reportText(report))
  if (!report.valid) return 1
  return given.flag('strict') && report.warnings.some(({ level }) => level === 'warning') ? 1 : 0
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
