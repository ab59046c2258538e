import { DEFAULT_WORLD } from '../../shared/world/default-world.js'
import { checkWorld, type World } from '../../shared/world/world.js'

/**
 * Reads a world by its name or from a file. If `given` is the world itself, checks it.
 *
 * @param given a name in fixtures/worlds, the path of a JSON or YAML file, or the world itself
 * @throws Refusal `unknown_world`, `unreadable_world`, or `bad_world` with the name of each wrong field
 */
export async function readWorld(given: string | World): Promise<World> {
  if (given === 'default' || given === DEFAULT_WORLD) return DEFAULT_WORLD
  if (typeof given !== 'string') return checkWorld(given, 'world')
  const { readWorldFile } = await import('./world-file.js')
  return readWorldFile(given)
}
