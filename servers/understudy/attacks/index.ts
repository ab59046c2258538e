import type { Log } from '../../../shared/util/log.js'
import type { InstanodeHostility } from '../../instanode/hostile.js'
import type { SafebotHostility } from '../../safebot/hostile.js'
import { readAttacks } from './attack.js'
import { type AttackTarget, carryOut, type RunningAttack } from './carry-out.js'

/** The options that attacks give to the servers, and a function to call after the servers have started. */
export interface HostileOptions {
  readonly instanode: InstanodeHostility
  readonly safebot: SafebotHostility
  carryOut(target: AttackTarget): Promise<RunningAttack[]>
}

/**
 * Prepares attacks, and logs a warning for each attack. If two attacks set the same option of a server, the
 * later attack wins.
 *
 * @param names names of profiles in fixtures/attacks
 * @throws Refusal `unknown_attack`, `bad_attack`
 */
export async function prepare(names: readonly string[], log: Log | undefined): Promise<HostileOptions> {
  const attacks = await readAttacks(names)
  for (const { name, about } of attacks) log?.warn(`HOSTILE: the attack ${name} is on. ${about}`)
  return {
    instanode: Object.assign({}, ...attacks.map(({ instanode }) => instanode)),
    safebot: Object.assign({}, ...attacks.map(({ safebot }) => safebot)),
    carryOut: target => carryOut(attacks, target),
  }
}
