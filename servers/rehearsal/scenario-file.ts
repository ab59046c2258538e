import { parseDocument } from 'yaml'
import { Refusal } from '../../shared/errors.js'
import { FileError, readRegularFile } from '../../shared/util/read-file.js'
import { cut } from '../../shared/util/shown.js'
import { readScenario, type Scenario } from './scenario.js'

/**
 * A scenario from a JSON or YAML file.
 *
 * @throws Refusal `unreadable_scenario`, `bad_scenario`
 */
export async function readScenarioFile(file: string): Promise<Scenario> {
  const text = textOf(file)
  // JSON is YAML, and told where it is wrong in the same words.
  const document = parseDocument(text, { schema: 'core', strict: true, uniqueKeys: true })
  const [problem] = [...document.errors, ...document.warnings]
  if (problem !== undefined) throw unreadable(file, cut(problem.message.split('\n', 1)[0] ?? ''))
  return readScenario(document.toJS({ maxAliasCount: 0 }), file)
}

function textOf(file: string): string {
  try {
    return readRegularFile(file).toString('utf8')
  } catch (error) {
    throw error instanceof FileError ? unreadable(file, error.message) : error
  }
}

function unreadable(file: string, why: string): Refusal {
  const hint = 'name a JSON or YAML file: a map with a list of steps'
  return new Refusal(
    'unreadable_scenario',
    `the scenario ${JSON.stringify(file)} cannot be read (${why})`,
    hint,
  )
}
