import type { Log } from '../../shared/log.js'
import type { Stage, Understudy } from '../understudy.js'
import { readAttacks } from './attack-file.js'
import { carryOut, type RunningAttack } from './carry-out.js'
import { type HostileOptions, hostileOptions } from './hostile-options.js'

/** Starts an instance that is hostile in the way it is told. */
type Start = (
  hostile: HostileOptions,
  carryOut: (stage: Stage) => Promise<RunningAttack[]>,
) => Promise<Understudy>

/**
 * Starts an instance under attack, and says so.
 *
 * @param names of fixtures/attacks
 * @throws Refusal `unknown_attack`, and what `start` throws
 */
export async function attack(
  names: readonly string[],
  start: Start,
  log: Log | undefined,
): Promise<Understudy> {
  const attacks = await readAttacks(names)
  for (const { name, about } of attacks) log?.warn(`HOSTILE: the attack ${name} is on. ${about}`)
  return start(hostileOptions(attacks), stage => carryOut(attacks, stage))
}
