import type { Log } from '../../../shared/util/log.js'
import type { InstanodeHostility } from '../../instanode/hostile.js'
import type { SafebotHostility } from '../../safebot/hostile.js'
import { readAttacks } from './attack.js'
import { carryOut, type RunningAttack, type Target } from './carry-out.js'

/** What attacks change in how the servers are made, and what is to be done once they are. */
export interface HostileOptions {
  readonly instanode: InstanodeHostility
  readonly safebot: SafebotHostility
  carryOut(target: Target): Promise<RunningAttack[]>
}

/**
 * Prepares attacks, and says so. Where two say the same of a server, the later one counts.
 *
 * @param names of fixtures/attacks
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
