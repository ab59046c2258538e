import { DEFAULT_WORLD } from '../../shared/world/default-world.js'
import { checkWorld, type World } from '../../shared/world/world.js'

/**
 * A world by its name or file, or as data.
 *
 * @param given a name of fixtures/worlds, the path of a JSON or YAML file, or the world itself
 * @throws Refusal `unknown_world`, `unreadable_world`, or `bad_world` with every field at fault
 */
export async function readWorld(given: string | World): Promise<World> {
  if (given === 'default' || given === DEFAULT_WORLD) return DEFAULT_WORLD
  if (typeof given !== 'string') return checkWorld(given, 'world')
  const { readWorldFile } = await import('./world-file.js')
  return readWorldFile(given)
}
