import type { InstanodeHostility } from '../instanode/hostile/hostility.js'
import type { SafebotOptions } from '../safebot/options.js'
import type { Attack } from './attack.js'

/** What attacks change in how the servers are made. */
export interface HostileOptions {
  hostility: InstanodeHostility
  safebot: Pick<SafebotOptions, 'copiedMessages'>
}

/** All attacks together; where two say the same of a server, the later one counts. */
export function hostileOptions(attacks: readonly Attack[]): HostileOptions {
  return {
    hostility: Object.assign({}, ...attacks.map(({ instanode }) => instanode)),
    safebot: Object.assign({}, ...attacks.map(({ safebot }) => safebot)),
  }
}
