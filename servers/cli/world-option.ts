import { Refusal } from '../../shared/errors.js'
import type { World } from '../../shared/world/world.js'
import { readWorld } from '../understudy/read-world.js'
import { type Given, UsageError } from './options.js'

/**
 * The world of `--world`. A name that is none is a matter of usage, a file that is none is not.
 *
 * @throws UsageError `unknown_world` in its words; Refusal `unreadable_world`, `bad_world`
 */
export async function worldOption(given: Given): Promise<World> {
  try {
    return await readWorld(given.text('world') ?? 'default')
  } catch (error) {
    if (error instanceof Refusal && error.code === 'unknown_world') {
      throw new UsageError(`--world: ${error.reason}`, error.hint)
    }
    throw error
  }
}
