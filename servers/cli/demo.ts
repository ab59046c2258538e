import { defined } from '../../shared/util/defined.js'
import { demo as playDemo } from '../demo/index.js'
import { policyFiles } from './gateway-options.js'
import { type Given, readPort } from './options.js'
import { untilTold } from './serve.js'

/** `understudy demo`: the servers, their gateways and two agents, narrated. @returns the exit code */
export async function demo(given: Given): Promise<number> {
  return playDemo({
    fast: given.flag('fast'),
    policies: await policyFiles(given),
    // Its own ports do not matter, and what is up already keeps the usual ones.
    ...defined({ controlPort: given.has('control-port') ? readPort(given, 'control-port') : undefined }),
    shutdown: untilTold(),
  })
}
