import { readdir } from 'node:fs/promises'
import { extname, join } from 'node:path'
import { Refusal } from '../../shared/errors.js'
import { fixture } from '../../shared/util/compiled.js'
import { FileError, readRegularFile } from '../../shared/util/read-file.js'
import { cut, shown } from '../../shared/util/shown.js'
import type { World } from '../../shared/world/world.js'
import { checkWorld } from '../../shared/world/world.js'

const FIXTURES = fixture('worlds')

/** Matches the name of a world. Any other text is a path. */
const NAME = /^[A-Za-z0-9_-]+$/

/** Returns the names of the worlds in fixtures/worlds. */
async function worldNames(): Promise<string[]> {
  const files = await readdir(FIXTURES)
  return files
    .filter(file => extname(file) === '.json')
    .map(file => file.slice(0, -'.json'.length))
    .sort()
}

/**
 * Reads a world by its name, or from a JSON or YAML file.
 *
 * @throws Refusal `unknown_world`, `unreadable_world`, `bad_world`
 */
export async function readWorldFile(given: string): Promise<World> {
  if (NAME.test(given)) return readNamedWorld(given, `or give a file: ./${given}.json`)
  return checkWorld(await parse(read(given), given), `${given}: world`)
}

/**
 * Reads a world in fixtures/worlds.
 *
 * @param name the name of a world. Any other text, such as a path, is refused before a file is read
 * @param orElseHint the last part of the hint, which says what to give if no name is right
 * @throws Refusal `unknown_world` with the known names
 */
export async function readNamedWorld(name: string, orElseHint: string): Promise<World> {
  const names = await worldNames()
  if (!names.includes(name)) {
    throw new Refusal(
      'unknown_world',
      `there is no world ${shown(name)}`,
      `there are ${names.join(', ')}; ${orElseHint}`,
    )
  }
  const file = join(FIXTURES, `${name}.json`)
  return checkWorld(await parse(read(file), file), 'world')
}

function read(file: string): string {
  try {
    return readRegularFile(file).toString('utf8')
  } catch (error) {
    throw error instanceof FileError ? unreadable(file, error.message) : error
  }
}

async function parse(text: string, file: string): Promise<unknown> {
  try {
    if (extname(file) === '.json') return JSON.parse(text)
    return await parseYaml(text)
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error)
    throw unreadable(file, cut(why))
  }
}

function unreadable(file: string, why: string): Refusal {
  return new Refusal(
    'unreadable_world',
    `the world ${file} cannot be read: ${why}`,
    'give a JSON or YAML file',
  )
}

/**
 * Parses one YAML 1.2 document of plain values. Custom tags and more than 100 aliases are refused.
 *
 * @throws Error with the message of the first problem, which gives its line number
 */
async function parseYaml(text: string): Promise<unknown> {
  const { parseDocument } = await import('yaml')
  const document = parseDocument(text, { schema: 'core', customTags: [], strict: true, uniqueKeys: true })
  const [problem] = [...document.errors, ...document.warnings]
  // Only the first line of the error message is kept, because the others show a part of the file.
  if (problem !== undefined) throw new Error(problem.message.split('\n', 1)[0]?.replace(/:$/, ''))
  return document.toJS({ maxAliasCount: 100 })
}
