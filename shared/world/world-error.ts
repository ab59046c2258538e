import { Refusal } from '../errors.js'

/**
 * What is wrong with a world.
 *
 * @param where in it, e.g. `world.rooms[0].messages[2]`
 * @param why what cannot be
 * @param hint what to do about it
 */
export function badWorld(where: string, why: string, hint?: string): Refusal {
  return new Refusal('bad_world', `${where}: ${why}`, hint)
}
