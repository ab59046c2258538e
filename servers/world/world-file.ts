import { readdir, readFile } from 'node:fs/promises'
import { extname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { Refusal } from '../../shared/errors.js'
import { checkWorld } from './read-world.js'
import type { World } from './world.js'

/** Beside `servers/`, and beside `dist/`. */
const FIXTURES = fileURLToPath(
  new URL(
    import.meta.url.endsWith('.ts') ? '../../fixtures/worlds' : '../../../fixtures/worlds',
    import.meta.url,
  ),
)

/** What has none of a path's signs is a name. */
const NAME = /^[A-Za-z0-9_-]+$/

/** More than any world needs, and little enough to read at once. */
const LARGEST_BYTES = 16 * 1024 * 1024

/** The names that worlds go by. */
export async function worldNames(): Promise<string[]> {
  const files = await readdir(FIXTURES)
  return files
    .filter(file => extname(file) === '.json')
    .map(file => file.slice(0, -'.json'.length))
    .sort()
}

/**
 * A world by its name, or from a JSON or YAML file.
 *
 * @throws Refusal `unknown_world`, `unreadable_world`, `bad_world`
 */
export async function readWorldFile(given: string): Promise<World> {
  const file = NAME.test(given) ? await fileOf(given) : given
  return checkWorld(await parse(await read(file), file), NAME.test(given) ? 'world' : `${file}: world`)
}

async function fileOf(name: string): Promise<string> {
  const names = await worldNames()
  if (names.includes(name)) return join(FIXTURES, `${name}.json`)
  throw new Refusal(
    'unknown_world',
    `there is no world ${JSON.stringify(name)}`,
    `there are ${names.join(', ')}; or give a file: ./${name}.json`,
  )
}

async function read(file: string): Promise<string> {
  const bytes = await readFile(file).catch(error => {
    throw unreadable(file, error instanceof Error ? error.message : String(error))
  })
  if (bytes.length > LARGEST_BYTES) throw unreadable(file, `it is larger than ${LARGEST_BYTES} bytes`)
  return bytes.toString('utf8')
}

async function parse(text: string, file: string): Promise<unknown> {
  try {
    if (extname(file) === '.json') return JSON.parse(text)
    const { parseYaml } = await import('./yaml.js')
    return parseYaml(text)
  } catch (error) {
    throw unreadable(file, error instanceof Error ? error.message : String(error))
  }
}

function unreadable(file: string, why: string): Refusal {
  return new Refusal(
    'unreadable_world',
    `the world ${file} cannot be read: ${why}`,
    'give a JSON or YAML file',
  )
}
